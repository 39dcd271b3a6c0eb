"""Leaves out chunks of a PNG that Pillow refuses to unpack, though the picture does not need them.

Renderers and image generators write megabytes of compressed text beside the picture. Pillow's limits on them stay as they are:
they protect from files that unpack to thousands of times their size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import PngImagePlugin

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT = (b"tEXt", b"zTXt", b"iTXt")
MAX_RATIO = 1032  # bytes that one byte of zlib's format can unpack to
# Text that says how the picture is turned.
ORIENTATION = (b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp")


class Chunk(NamedTuple):
    """A chunk: its kind, and where it and its content start and end."""

    kind: bytes
    start: int
    end: int

    def content(self, raw: bytes) -> bytes:
        """Return the chunk's content."""
        return raw[self.start + 8 : self.end - 4]


def without_large_metadata(raw: bytes) -> tuple[bytes, bool]:
    """Return a PNG without text and colour profile that Pillow would refuse, and whether a colour profile was left out.

    Nearly every file has no such chunk, and is returned as it is.
    """
    if raw[:8] != SIGNATURE:
        return raw, False
    chunks = [chunk for chunk in _chunks(raw) if chunk.kind in TEXT or chunk.kind == b"iCCP"]
    profile = [chunk for chunk in chunks if chunk.kind == b"iCCP" and _unpacks_beyond(raw, chunk)]
    text = [chunk for chunk in chunks if chunk.kind in TEXT]
    if any(_unpacks_beyond(raw, chunk) for chunk in text) or _most_bytes(text) > PngImagePlugin.MAX_TEXT_MEMORY:
        first = {_keyword(raw, chunk): chunk for chunk in reversed(text)}
        candidates = [first[keyword] for keyword in ORIENTATION if keyword in first]
        orientation = [chunk for chunk in candidates if not _unpacks_beyond(raw, chunk)]
        text = [chunk for chunk in text if chunk not in orientation]
    else:
        text = []
    if not text and not profile:
        return raw, False
    parts, at = [], 0
    for chunk in sorted((*text, *profile), key=lambda chunk: chunk.start):
        parts.append(raw[at : chunk.start])
        at = chunk.end
    return b"".join((*parts, raw[at:])), bool(profile)


def _chunks(raw: bytes) -> Iterator[Chunk]:
    at, end = len(SIGNATURE), len(raw)
    while at + 12 <= end:
        length, kind = struct.unpack_from(">I4s", raw, at)
        if at + 12 + length > end:
            return
        yield Chunk(kind, at, at + 12 + length)
        at += 12 + length


def _most_bytes(chunks: list[Chunk]) -> int:
    """Return how many bytes these chunks can unpack to at most."""
    return sum((chunk.end - chunk.start) * (1 if chunk.kind == b"tEXt" else MAX_RATIO) for chunk in chunks)


def _keyword(raw: bytes, chunk: Chunk) -> bytes:
    return raw[chunk.start + 8 : chunk.start + 8 + 80].partition(b"\0")[0]


def _unpacks_beyond(raw: bytes, chunk: Chunk) -> bool:
    """Return whether a chunk unpacks to more than Pillow accepts of one; no more than that is unpacked."""
    limit = PngImagePlugin.MAX_TEXT_CHUNK
    if _most_bytes([chunk]) <= limit:
        return False
    content = chunk.content(raw)
    if chunk.kind == b"tEXt":
        return len(content) > limit
    _, _, rest = content.partition(b"\0")
    if chunk.kind == b"iTXt":
        if rest[:1] != b"\1":  # not compressed
            return len(content) > limit
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        rest = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(rest, limit + 1)) > limit
    except zlib.error:  # Pillow passes over it
        return False
