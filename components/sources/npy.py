"""NumPy's own format, read from front to back: an `.npy`, or a member of an `.npz`. What is pickled is never read."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from components.sources import files
from schemas.errors import DataError

_PIECE = 1 << 24
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # 3.0 is only for records


class Place(NamedTuple):
    """An array: the file it is in, and its name there; in an `.npy` it has none."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path}: {self.name}" if self.name else self.path


@dataclass(frozen=True)
class Header:
    """What an array says of itself before its values.

    Attributes:
        shape: Lengths, none below 0.
        dtype: Of each value.
        fortran: Whether columns come first, so that an image is not in one piece.
        length: Bytes before the values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    length: int

    @property
    def count(self) -> int:
        """How many images, or labels."""
        return self.shape[0]

    @property
    def image_bytes(self) -> int:
        """Bytes of one."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def said(self) -> str:
        """Type and shape, for a person."""
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


@contextmanager
def reading(what: object) -> Iterator[None]:
    """Says in one line what is wrong with a file that cannot be read.

    Raises:
        DataError: It is broken.
    """
    try:
        yield
    except (  # zipfile's own RuntimeError: what it cannot unpack, or not without a password
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        raise DataError(f"{what}: expected a whole array of NumPy, found something else ({error})") from None


@contextmanager
def opened(place: Place) -> Iterator[tuple[IO[bytes], Header]]:
    """The file after the array's header, and the header.

    Raises:
        OSError: There is no such file.
        DataError: It holds no such array, or breaks off.
    """
    with files.open_file(place.path) as file, reading(place), ExitStack() as stack:
        if place.name:
            archive = stack.enter_context(zipfile.ZipFile(file))
            file = stack.enter_context(archive.open(f"{place.name}.npy"))
        yield file, _header(file, place)


def _header(file: IO[bytes], place: Place) -> Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, fortran, dtype = _READERS[npy.read_magic(file)](file)
    except Exception as error:  # NumPy hands on whatever Python's parser raises
        reason = (str(error).splitlines() or [""])[0][:200]
        raise DataError(f"{place}: expected an array of NumPy, found no such header ({reason})") from None
    if any(length < 0 for length in shape):
        raise DataError(f"{place}: expected an array of NumPy, found the shape {list(shape)}")
    return Header(shape, dtype, fortran and len(shape) > 1, file.tell())


def up_to(file: IO[bytes], size: int) -> bytes:
    """So many bytes, or what there is, in pieces: a header that lies cannot make us reserve memory for its lie."""
    pieces = []
    while size > 0 and (piece := file.read(min(_PIECE, size))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def wrong_length(place: Place, header: Header, found: int) -> DataError:
    """That an array holds another number of bytes than its header says."""
    size = math.prod(header.shape) * header.dtype.itemsize
    more = "more" if found > size else f"{found:,}"
    return DataError(f"{place}: expected {size:,} bytes after a header that says {header.said}, found {more}")
