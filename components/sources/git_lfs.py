"""Knows the pointers that Git leaves in the place of large files until `git lfs pull` fetches them."""

from __future__ import annotations

from components.sources import files

_START = b"version https://git-lfs.github.com/spec"
POINTER = "a Git LFS pointer: run `git lfs pull` where the files are from"


def is_pointer(start: bytes) -> bool:
    """Return whether a file with this beginning is a pointer of Git LFS."""
    return start.startswith(_START)


def is_pointer_at(path: str) -> bool:
    """Return whether a file is a pointer of Git LFS; False if it cannot be read."""
    try:
        with files.open_file(path) as file:
            return is_pointer(file.read(len(_START)))
    except OSError:
        return False
