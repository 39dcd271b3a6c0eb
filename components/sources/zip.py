"""A zip archive of image files."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator

from components.sources import files
from components.sources.base import FileNames, ReadError
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ZipSource


class Zip(FileNames):
    """Every file in an archive, by name, read in place. Hidden files are passed over, and so is what macOS adds.

    Nothing is ever extracted, so no name can lead anywhere; links and names with `..` are rejected all the same. Where
    the path stands for several archives, names begin with the archive's.
    """

    settings: ZipSource

    def __init__(self, settings: ZipSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        root, found = files.find(settings)
        names = [""] if len(found) == 1 else [f"{files.name_in(root, path)}/" for path in found]
        self.archives = dict(zip(names, map(_opened, found), strict=True))
        members = sum(len(archive.NameToInfo) for archive in self.archives.values())
        if members > preprocess.max_members:
            raise DataError(
                f"{settings.path}: expected at most {preprocess.max_members:,} members, found {members:,}; "
                "raise preprocess.max_members if that is right"
            )

    def digest(self) -> str:
        """Sha256 of the archive, or over the archives' names and contents."""
        return files.digest_of_all({name: str(archive.filename) for name, archive in self.archives.items()})

    def keys(self) -> Iterator[str]:
        """Files by name; of several with one name the last counts, as everywhere."""
        for prefix, archive in self.archives.items():
            for name, info in sorted(archive.NameToInfo.items()):
                hidden = any(part.startswith(".") and part != ".." for part in name.split("/"))
                if not info.is_dir() and not hidden and not name.startswith("__MACOSX/"):
                    yield f"{prefix}{name}"

    def read(self, place: str) -> bytes:
        """A file's bytes."""
        prefix = next(prefix for prefix in self.archives if place.startswith(prefix))
        archive, name = self.archives[prefix], place[len(prefix) :]
        info = archive.getinfo(name)
        if ".." in name.split("/") or name.startswith("/"):
            raise ReadError("a name that leads out of the archive")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ReadError("a link or a device")
        if info.file_size > self.preprocess.max_expansion * max(info.compress_size, 1 << 10):
            raise ReadError(
                f"{info.compress_size:,} bytes that unpack to {info.file_size:,}, more than "
                f"{self.preprocess.max_expansion:,} times as many"
            )
        try:
            with archive.open(info) as file:
                return file.read(self.preprocess.max_bytes + 1)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError) as error:
            # RuntimeError: it is encrypted, or packed in a way that zipfile cannot read.
            raise ReadError(f"{type(error).__name__}: {error}") from error


def _opened(path: str) -> zipfile.ZipFile:
    if files.is_folder(path):
        raise UsageError(f"sources.path: kind zip expects an archive, found the folder {path}")
    try:
        return zipfile.ZipFile(path if not files.is_remote(path) else files.open_file(path))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: expected a zip archive, found something else ({error})") from None
