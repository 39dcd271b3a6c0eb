"""Names of files and folders that stand for texts of any length, such as labels and paths."""

from __future__ import annotations

import hashlib
import re

PART_BYTES = 64  # of a label or a path in the name of a set's folder; with all other parts it stays below 255


def short_hash(text: str) -> str:
    """Return eight hex digits that stand for a text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


def file_name(text: str) -> str:
    """Return a part of a folder's name, from a label or the name of a file; a long one ends in a hash."""
    return short_name(re.sub(r"[^\w.-]+", "-", text), text=text, limit=PART_BYTES)


def short_name(name: str, *, text: str, limit: int) -> str:
    """Return the name of a file; one of more than `limit` bytes is cut, and ends in a hash of the text that it stands for."""
    return name if len(name.encode()) <= limit else hashed_name(name, text=text, limit=limit)


def hashed_name(name: str, *, text: str, limit: int) -> str:
    """Return the name of a file, of at most `limit` bytes, that ends in a hash of the text that it stands for."""
    end = f"-{short_hash(text)}"
    return name.encode()[: limit - len(end)].decode(errors="ignore") + end
