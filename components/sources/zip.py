"""A zip archive of image files."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress

from components.sources import files
from components.sources.base import FileNames, ReadError, is_contact_sheet
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ZipSource

_ENCRYPTED, _UTF8 = 0x1, 0x800  # bits of a member's flags


class Zip(FileNames):
    """All files of an archive, by name, read in place; hidden files, and folders that a system keeps for itself, are skipped.

    Nothing is ever extracted, so a name cannot lead out of the archive; links and names with `..` are rejected all the
    same. If the path stands for several archives, names begin with the archive's.
    """

    settings: ZipSource
    left_out: files.LeftOut

    def __init__(self, settings: ZipSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.left_out = files.LeftOut()
        root, paths = files.find(settings)
        prefixes = [""] if len(paths) == 1 else [f"{files.name_in(root, path)}/" for path in paths]
        self.archives = dict(zip(prefixes, map(_open_archive, paths), strict=True))
        self._members = {prefix: _members_by_name(archive) for prefix, archive in self.archives.items()}
        members = sum(map(len, self._members.values()))
        if members > preprocess.max_members:
            raise DataError(
                f"{settings.path}: expected at most {preprocess.max_members:,} members, found {members:,}; "
                "raise preprocess.max_members if that is right"
            )

    def digest(self) -> str:
        """Return the sha256 of the archive, or over the names and contents of several."""
        return files.digest_of_all({prefix: str(archive.filename) for prefix, archive in self.archives.items()})

    def names(self) -> Iterator[str]:
        """Yield the names of all files, sorted; of several with one name, the last counts, as in other zip tools.

        `left_out` then says what was skipped.
        """
        self.left_out.clear()
        for prefix, members in self._members.items():
            for name, info in sorted(members.items()):
                key = f"{prefix}{name}"
                hidden = any(part.startswith(".") and part != ".." for part in name.split("/"))
                if info.is_dir():
                    continue
                if reason := self.why_left_out(key):
                    self.left_out.add(reason, key)
                elif not hidden and not is_contact_sheet(name, members.__contains__):
                    yield key

    def read(self, place: str) -> bytes:
        """Return a file's bytes."""
        return self.start(place, size=self.preprocess.max_bytes + 1)

    def start(self, key: str, *, size: int) -> bytes:
        """Return a file's first bytes."""
        prefix = next(prefix for prefix in self.archives if key.startswith(prefix))
        archive, name = self.archives[prefix], key[len(prefix) :]
        info = self._members[prefix][name]
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
                return file.read(size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError) as error:
            # zipfile raises RuntimeError for an encrypted member and for an unknown compression.
            raise ReadError(f"{type(error).__name__}: {error}") from error


def _members_by_name(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by their names; of several with one name, the last counts.

    Names without the flag for UTF-8 are in it all the same if they can be; the standard's other encoding is CP437. Windows
    writes backslashes between folders.

    Raises:
        DataError: All of them are encrypted.
    """
    infos = archive.infolist()
    encrypted = [bool(info.flag_bits & _ENCRYPTED) for info in infos if not info.is_dir()]
    if encrypted and all(encrypted):
        raise DataError(f"{archive.filename}: expected a zip archive without a password, found an encrypted one")
    members = {}
    for info in infos:
        name = info.filename
        if not info.flag_bits & _UTF8:
            with suppress(UnicodeError):
                name = name.encode("cp437").decode()
        members[name] = info
    if any("\\" in name for name in members) and not any("/" in name for name in members):
        members = {name.replace("\\", "/"): info for name, info in members.items()}
    return members


def _open_archive(path: str) -> zipfile.ZipFile:
    if files.is_folder(path):
        raise UsageError(f"sources.path: kind zip expects an archive, found the folder {path}")
    try:
        return zipfile.ZipFile(path if not files.is_remote(path) else files.open_file(path))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"{path}: expected a zip archive, found something else ({error})") from None
