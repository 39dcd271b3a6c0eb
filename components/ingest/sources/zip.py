"""A zip archive of image files."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator

from components.ingest.sources.base import ImageFileSource, Item, ReadError, existing_path
from schemas.artifacts import sha256_of
from schemas.errors import DataError, UsageError
from schemas.sources import ZipSource

MEMBER_BYTES = 1 << 30  # unpacked; what claims to be more is not read


class Zip(ImageFileSource):
    """Every file in an archive, by name, read in place. Hidden files are passed over, and so is what macOS adds.

    Nothing is ever extracted, so no name can lead anywhere; links and names with `..` are rejected all the same.
    """

    settings: ZipSource

    def __init__(self, settings: ZipSource) -> None:
        super().__init__(settings)
        self.path = existing_path(settings)
        if self.path.is_dir():
            raise UsageError(f"sources.path: kind zip expects an archive, found the folder {self.path}")
        try:
            self.archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DataError(f"{self.path}: expected a zip archive, found something else ({error})") from None

    def digest(self) -> str:
        """Sha256 of the archive."""
        return sha256_of(self.path)

    def items(self) -> Iterator[Item]:
        """Files by name; of several with one name the last counts, as everywhere."""
        for name, info in sorted(self.archive.NameToInfo.items()):
            hidden = any(part.startswith(".") and part != ".." for part in name.split("/"))
            if not info.is_dir() and not hidden and not name.startswith("__MACOSX/"):
                yield self.item(name)

    def read(self, key: str) -> bytes:
        """A file's bytes."""
        info = self.archive.getinfo(key)
        if ".." in key.split("/") or key.startswith("/"):
            raise ReadError("a name that leads out of the archive")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ReadError("a link or a device")
        if info.file_size > MEMBER_BYTES:
            raise ReadError(f"{info.file_size:,} bytes unpacked, more than {MEMBER_BYTES:,}")
        try:
            return self.archive.read(info)  # zipfile's own NotImplementedError: a compression that it cannot read
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
            raise ReadError(f"{type(error).__name__}: {error}") from error
