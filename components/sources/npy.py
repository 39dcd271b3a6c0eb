"""Arrays in NumPy's own files: the array of an `.npy`, or one member of an `.npz`. Pickled arrays are never loaded."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, NamedTuple

from numpy.lib import format as npy

from components.sources import files
from components.sources.raw_array import ArrayHeader, RawArray
from schemas.errors import DataError

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # 3.0 is only for records


class ArrayPlace(NamedTuple):
    """The file of an array, and the array's name in it; the name is empty for an `.npy`."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path}: {self.name}" if self.name else self.path


@contextmanager
def errors_of(name: object) -> Iterator[None]:
    """Turn the errors of a broken file into one line that begins with its name.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        RuntimeError,  # zipfile's, for an encrypted member or an unknown compression
        OSError,
        ValueError,
    ) as error:
        raise DataError(f"{name}: expected a whole array of NumPy, found something else ({error})") from None


@contextmanager
def open_array(place: ArrayPlace) -> Iterator[RawArray]:
    """Open an array for as long as the block lasts.

    Raises:
        OSError: There is no such file.
        DataError: The file holds no such array, or is broken.
    """
    with files.open_file(place.path) as file, errors_of(place), ExitStack() as stack:
        if place.name:
            archive = stack.enter_context(zipfile.ZipFile(file))
            file = stack.enter_context(archive.open(f"{place.name}.npy"))
        yield RawArray(str(place), _read_header(file, place), file)


def _read_header(file: IO[bytes], place: ArrayPlace) -> ArrayHeader:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that Python 2 wrote
            shape, columns_first, dtype = _READERS[npy.read_magic(file)](file)
    except Exception as error:  # NumPy lets any error of Python's parser through
        reason = (str(error).splitlines() or [""])[0][:200]
        raise DataError(f"{place}: expected an array of NumPy, found no such header ({reason})") from None
    if any(length < 0 for length in shape):
        raise DataError(f"{place}: expected an array of NumPy, found the shape {list(shape)}")
    text = f"{dtype} [{', '.join(map(str, shape))}]"
    return ArrayHeader(shape, dtype, file.tell(), text, columns_first=columns_first and len(shape) > 1)
