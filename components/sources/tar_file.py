"""A tar archive, compressed or not, read member by member in the order of the file, without trusting it.

tarfile reads the headers. But it mistakes a broken header, or the end of a truncated file, for the end of the archive, and
it does not limit what headers and data unpack to. This module checks both.
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
from typing import IO, Any, cast

from components.sources import files
from components.sources.base import ReadError
from components.sources.system_folders import in_system_folder
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

_BLOCK = 512
_CHUNK = 1 << 20
_MAX_HEADER_BYTES = 1 << 22  # before a member: its header, long names and PAX records
_MIN_PACKED_BYTES = (
    1 << 16
)  # counted at least when expansion is limited, because an archive may begin with blank images
_COMPRESSIONS = {b"\x1f\x8b\x08": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, or an entry of another kind, such as a link.

    Attributes:
        name: With its folders, without the `./` that tar puts before names; see `files.quote`.
        offset: Where its bytes begin in the unpacked archive.
        size: The number of its bytes.
        problem: Why it must not be read: it is a link, or its name leads out of the archive.
    """

    name: str
    offset: int
    size: int
    problem: str | None

    @property
    def stretch(self) -> str:
        """Offset and size, as `read_stretch` takes them for an archive that is not compressed."""
        return f"{self.offset}+{self.size}"


@contextmanager
def open_archive(path: str, preprocess: PreprocessSettings) -> Iterator[Archive]:
    """Open an archive for as long as the block lasts; errors while it is read are translated too.

    Raises:
        DataError: It is no archive, broken, cut off, or larger than the limits of `preprocess` allow.
    """
    try:
        with files.open_file(path) as file:
            yield Archive(path, file, preprocess)
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path}: expected a whole tar archive, found one that is broken or cut off ({reason})"
        ) from None


class Archive:
    """An open archive.

    Attributes:
        compressed: Whether it can only be read from front to back.
    """

    def __init__(self, path: str, file: IO[bytes], preprocess: PreprocessSettings) -> None:
        self.path = path
        self.preprocess = preprocess
        self._file = file
        self._unpacked = _UnpackedStream(path, file, max_expansion=preprocess.max_expansion)
        self.compressed = self._unpacked.compressed
        self._tar = tarfile.TarFile(fileobj=cast("IO[bytes]", self._unpacked), mode="r", encoding="utf-8")

    def members(self, *, system: bool = False) -> Iterator[Member]:
        """Yield every member except folders and hidden files.

        Args:
            system: Whether to yield files in folders that a system keeps for itself, too.
        """
        count = 0
        while (info := self._tar.next()) is not None:
            self._tar.members = []  # type: ignore[attr-defined]  # otherwise tarfile keeps all of them in memory
            self._unpacked.stop = self._tar.offset + _MAX_HEADER_BYTES
            count += 1
            if count > self.preprocess.max_members:
                raise DataError(
                    f"{self.path}: expected at most {self.preprocess.max_members:,} members, found more; "
                    "raise preprocess.max_members if that is right"
                )
            folders = [part for part in info.name.split("/") if part not in ("", ".")]
            skipped = any(part.startswith(".") and part != ".." for part in folders)
            if not info.isdir() and (system if in_system_folder("/".join(folders)) else not skipped):
                absolute = "/" if info.name.startswith("/") else ""
                name = files.quote(absolute + "/".join(folders))
                yield Member(name, info.offset_data, info.size, _problem(info, folders))
        self._unpacked.check_end()

    def read(self, member: Member, *, size: int | None = None) -> bytes:
        """Return a member's bytes, or one byte more than the limit allows if it is too large.

        Args:
            member: In a compressed archive, only the latest can be read.
            size: Number of bytes after which to stop.

        Raises:
            ReadError: It must not be read.
        """
        if member.problem:
            raise ReadError(member.problem)
        size = min(member.size, self.preprocess.max_bytes + 1 if size is None else size)
        if self.compressed:
            self._unpacked.seek(member.offset)
            data = self._unpacked.read(size)
        else:
            data = _read_at(self._file, member.offset, size)
        if len(data) < size:
            raise tarfile.ReadError("unexpected end of data")
        return data


def read_stretch(path: str, stretch: str, *, max_bytes: int) -> bytes:
    """Return the bytes of a member of a plain archive, or one byte more than the limit allows if it is too large.

    Raises:
        OSError: The archive is no longer there, or cannot be read.
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
    chunks = []  # in chunks, so that a header with a false size does not make us reserve that much memory
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


class _UnpackedStream:
    """The unpacked archive, as a file that tarfile reads forward within limits.

    Attributes:
        compressed: Whether the archive is compressed.
        stop: The position at which the current headers or data must have ended.
    """

    def __init__(self, path: str, file: IO[bytes], *, max_expansion: int) -> None:
        self.path = path
        self.max_expansion = max_expansion
        self.stop = _MAX_HEADER_BYTES
        self._packed = file
        start = file.read(max(map(len, _COMPRESSIONS)))
        file.seek(0)
        opener = next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), None)
        self.compressed = opener is not None
        self._file: IO[bytes] = cast(Any, opener)(_SmallReads(file)) if opener else file
        self._position = 0
        self._latest = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise tarfile.ReadError("a header that points backwards")
        if not self.compressed:
            self._position = position
        while self._position < position and self._next_chunk(position - self._position):
            pass

    def read(self, size: int) -> bytes:
        if size < 0 or self._position + size > self.stop:
            raise tarfile.ReadError("headers without an end")
        chunks = []
        while size > 0 and (chunk := self._next_chunk(size)):
            chunks.append(chunk)
            size -= len(chunk)
        self._latest = b"".join(chunks)
        return self._latest

    def check_end(self) -> None:
        """Read to the end, so that checksums are checked too.

        Raises:
            tarfile.ReadError: The last block read is not zeros, which mark the end of an archive, or more than zeros
                follow.
        """
        if self._latest != bytes(_BLOCK):
            raise tarfile.ReadError("no mark of its end where it ends")
        while chunk := self._next_chunk(_CHUNK):
            if chunk.count(0) != len(chunk):
                raise tarfile.ReadError("more after the mark of its end")

    def _next_chunk(self, size: int) -> bytes:
        if not self.compressed:
            self._file.seek(self._position)
        chunk = self._file.read(min(size, _CHUNK))
        self._position += len(chunk)
        if self.compressed and self._position > self.max_expansion * max(self._packed.tell(), _MIN_PACKED_BYTES):
            raise DataError(
                f"{self.path}: expected a byte to unpack to at most {self.max_expansion:,}, found more than "
                f"{self._packed.tell():,} that unpack to {self._position:,}; raise preprocess.max_expansion if that is right"
            )
        return chunk


class _SmallReads:
    """A file that gives decompressors a few thousand bytes at a time, so that its position says how much they used."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1 << 12))
