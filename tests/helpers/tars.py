"""Tar archives for tests, written by tarfile. No test is here."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

COMPRESSIONS = {".tar": "", ".tar.gz": "gz", ".tar.bz2": "bz2", ".tar.xz": "xz"}


def pack(
    path: Path, files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], *, format: int = tarfile.PAX_FORMAT
) -> Path:
    """Write an archive in the order given, compressed as its name says; a name may come twice."""
    suffix = next(suffix for suffix in reversed(COMPRESSIONS) if path.name.endswith(suffix))
    with tarfile.open(path, f"w:{COMPRESSIONS[suffix]}", format=format) as archive:
        for name, data in files.items() if isinstance(files, Mapping) else files:
            add(archive, name, data)
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    """Add a member, whose header may say what it likes."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))
