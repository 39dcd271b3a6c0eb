"""A tar archive, compressed or not, member by member in the order of the file, and trusted in nothing.

tarfile reads the headers. But it takes a header that it cannot read, and the end of a file that was cut off, for the end
of the archive, and it sets no limit to what headers and data unpack to. Both are held here.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from components.sources import files
from components.sources.base import ReadError
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

_BLOCK = 512
_PIECE = 1 << 20
_HEADERS = 1 << 22  # bytes that may stand before a member: its header, long names and PAX records
_FLOOR = 1 << 16  # compressed bytes that always may unpack to max_expansion times as many: blank images come first, too
_COMPRESSIONS = {b"\x1f\x8b\x08": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, or what stands in a file's place.

    Attributes:
        name: With its folders; see `files.quoted`. Without the `./` that tar puts before names.
        offset: Where its bytes begin, in what the archive unpacks to.
        size: Their number.
        problem: Why it must not be read: it is a link, or leads elsewhere.
    """

    name: str
    offset: int
    size: int
    problem: str | None

    @property
    def stretch(self) -> str:
        """Where `read_stretch` finds it in an archive that is not compressed."""
        return f"{self.offset}+{self.size}"


@contextmanager
def opened(path: str, preprocess: PreprocessSettings) -> Iterator[Archive]:
    """An archive, for as long as the block lasts.

    Raises:
        DataError: It is none, or broken, or cut off, or larger than the limits of `preprocess` allow. Also while it is read.
    """
    try:
        with files.open_file(path) as file:
            yield Archive(path, file, preprocess)
    except _BROKEN as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: expected a whole tar archive, found one that is broken or cut off ({why})") from None


class Archive:
    """An archive that is open.

    Attributes:
        compressed: Whether it can only be read from front to back.
    """

    def __init__(self, path: str, file: IO[bytes], preprocess: PreprocessSettings) -> None:
        self.path = path
        self.preprocess = preprocess
        self._file = file
        self._unpacked = _Unpacked(path, file, max_expansion=preprocess.max_expansion)
        self.compressed = self._unpacked.compressed
        self._tar = tarfile.TarFile(fileobj=self._unpacked, mode="r", encoding="utf-8")

    def members(self) -> Iterator[Member]:
        """Every member but folders, hidden files, and what macOS adds."""
        count = 0
        while (info := self._tar.next()) is not None:
            self._tar.members = []  # or it would keep all of them
            self._unpacked.stop = self._tar.offset + _HEADERS
            count += 1
            if count > self.preprocess.max_members:
                raise DataError(
                    f"{self.path}: expected at most {self.preprocess.max_members:,} members, found more; "
                    "raise preprocess.max_members if that is right"
                )
            folders = [part for part in info.name.split("/") if part not in ("", ".")]
            hidden = any(part.startswith(".") and part != ".." for part in folders)
            if not info.isdir() and not hidden and folders[:1] != ["__MACOSX"]:
                absolute = "/" if info.name.startswith("/") else ""
                yield Member(
                    files.quoted(absolute + "/".join(folders)), info.offset_data, info.size, _problem(info, folders)
                )
        self._unpacked.end()

    def read(self, member: Member) -> bytes:
        """A member's bytes, of a compressed archive only while it is the latest; of too many, one more than are allowed.

        Raises:
            ReadError: It must not be read.
        """
        if member.problem:
            raise ReadError(member.problem)
        size = min(member.size, self.preprocess.max_bytes + 1)
        if self.compressed:
            self._unpacked.seek(member.offset)
            data = self._unpacked.read(size)
        else:
            data = _read_at(self._file, member.offset, size)
        if len(data) < size:
            raise tarfile.ReadError("unexpected end of data")
        return data


def read_stretch(path: str, stretch: str, *, max_bytes: int) -> bytes:
    """The bytes of a member of an archive that is not compressed; of too many, one more than are allowed.

    Raises:
        OSError: The archive has gone, or cannot be read.
        ReadError: It has become shorter.
    """
    offset, size = map(int, stretch.split("+"))
    with files.open_file(path) as file:
        data = _read_at(file, offset, min(size, max_bytes + 1))
    if len(data) < min(size, max_bytes + 1):
        raise ReadError("the archive has become shorter")
    return data


def _problem(info: tarfile.TarInfo, folders: list[str]) -> str | None:
    if ".." in folders or info.name.startswith("/"):
        return "a name that leads out of the archive"
    if not info.isreg():
        return "a link or a device"
    if info.issparse():
        return "a sparse file: pack it anew, without tar's --sparse"
    return None if folders else "a file without a name"


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    file.seek(offset)
    pieces = []  # a header that lies cannot make us reserve memory for its lie
    while size > 0 and (piece := file.read(min(size, _PIECE))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class _Unpacked:
    """What an archive unpacks to, read forward within limits. For tarfile it is a file.

    Attributes:
        compressed: Whether there was anything to unpack.
        stop: Where headers and data have to end.
    """

    def __init__(self, path: str, file: IO[bytes], *, max_expansion: int) -> None:
        self.path = path
        self.max_expansion = max_expansion
        self.stop = _HEADERS
        self._packed = file
        start = file.read(max(map(len, _COMPRESSIONS)))
        file.seek(0)
        opener = next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), None)
        self.compressed = opener is not None
        self._file = opener(_SmallPieces(file)) if opener else file
        self._position = 0
        self._latest = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise tarfile.ReadError("a header that points backwards")
        if not self.compressed:
            self._position = position
        while self._position < position and self._piece(position - self._position):
            pass

    def read(self, size: int) -> bytes:
        if size < 0 or self._position + size > self.stop:
            raise tarfile.ReadError("headers without an end")
        pieces = []
        while size > 0 and (piece := self._piece(size)):
            pieces.append(piece)
            size -= len(piece)
        self._latest = b"".join(pieces)
        return self._latest

    def end(self) -> None:
        """Reads to the end, so that checksums are checked, too.

        Raises:
            tarfile.ReadError: What was read last is not a block of zeros, as it is at the end of every archive, or more
                than zeros follow.
        """
        if self._latest != bytes(_BLOCK):
            raise tarfile.ReadError("no mark of its end where it ends")
        while piece := self._piece(_PIECE):
            if piece.count(0) != len(piece):
                raise tarfile.ReadError("more after the mark of its end")

    def _piece(self, size: int) -> bytes:
        if not self.compressed:
            self._file.seek(self._position)
        piece = self._file.read(min(size, _PIECE))
        self._position += len(piece)
        if self.compressed and self._position > self.max_expansion * max(self._packed.tell(), _FLOOR):
            raise DataError(
                f"{self.path}: expected a byte to unpack to at most {self.max_expansion:,}, found more than "
                f"{self._packed.tell():,} that unpack to {self._position:,}; raise preprocess.max_expansion if that is right"
            )
        return piece


class _SmallPieces:
    """A file as decompressors see it: none is ahead of what it has unpacked by more than a few thousand bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1 << 12))
