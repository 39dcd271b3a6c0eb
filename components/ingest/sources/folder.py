"""A folder of image files."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote_to_bytes

from components.ingest.sources.base import ImageFileSource, Item, ReadError, existing_path
from schemas.artifacts import sha256_of
from schemas.errors import UsageError
from schemas.sources import FolderSource


class Folder(ImageFileSource):
    """Every file below a folder, at any depth, by name. Hidden files, links, pipes and devices are passed over.

    Whether a file is an image is decided when it is opened, so one that is not ends among the rejected and is counted.
    Bytes of a name that are not UTF-8 stand in its key as in a URL, `caf%E9.png`, and so does `%` itself, as `%25`.
    """

    settings: FolderSource

    def __init__(self, settings: FolderSource) -> None:
        super().__init__(settings)
        self.root = existing_path(settings)
        if not self.root.is_dir():
            raise UsageError(f"sources.path: kind folder expects a folder, found the file {self.root}")

    def digest(self) -> str:
        """Sha256 over every file's name and content."""
        items = list(self.items())
        total = hashlib.sha256()
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for item, sha256 in zip(items, pool.map(self._sha256, [item.key for item in items]), strict=True):
                total.update(f"{item.key}\0{sha256}\0{item.label}\n".encode())
        return total.hexdigest()

    def _sha256(self, key: str) -> str:
        try:
            return sha256_of(self._path(key))
        except OSError:
            return "unreadable"  # ingest lists it among the rejected

    def items(self) -> Iterator[Item]:
        """Files by folder and name."""
        for folder, folders, files in os.walk(self.root, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder) / name
                if not name.startswith(".") and _is_regular(path):
                    key = _UNSAFE.sub(_quoted, path.relative_to(self.root).as_posix())
                    yield self.item(key)

    def _path(self, key: str) -> Path:
        return self.root / os.fsdecode(unquote_to_bytes(key))

    def read(self, key: str) -> bytes:
        """A file's bytes."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ReadError(str(error)) from error


_UNSAFE = re.compile("[%\udc80-\udcff]")  # where a name is not UTF-8, Python puts these surrogates


def _quoted(found: re.Match[str]) -> str:
    return f"%{os.fsencode(found[0])[0]:02X}"


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True  # listed, and said to be gone when it is read
