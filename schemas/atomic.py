"""Files that are whole or not there: written under a temporary name, flushed to disk, renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".*.tmp"  # pattern of the temporary names
MANY = 256  # files from which on one flush of everything is faster than a flush of each


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what is written there takes `path`'s name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process's number: on another machine, or in another container, somebody may have the same.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        fsync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    fsync(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file whole or not at all."""
    write_bytes(path, text.encode())


def fsync_all(files: list[Path], *, below: Path) -> None:
    """Flushes files and the folders that they are in, all below one folder, to disk."""
    if len(files) > MANY:
        os.sync()
        return
    for path in {*files, *(file.parent for file in files), below}:
        fsync(path)


def fsync(path: Path) -> None:
    """Flushes a file, or a folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
