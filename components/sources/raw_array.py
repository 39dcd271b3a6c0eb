"""Raw arrays: values that follow a header, as in IDX and NumPy files, read item by item and never all at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from components.sources.base import ReadError
from schemas.errors import DataError

_CHUNK = 1 << 24  # bytes: a header with a false length must not make us reserve that much memory


@dataclass(frozen=True)
class ArrayHeader:
    """What a file says about an array before its values.

    Attributes:
        shape: Lengths, none below 0; the first one counts the items.
        dtype: Of each value.
        offset: Bytes before the values.
        text: Type or shape, as an error message shows them.
        columns_first: Whether the order is Fortran's, in which the values of an item are scattered.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    text: str
    columns_first: bool = False

    @property
    def count(self) -> int:
        """Number of items: images or labels."""
        return self.shape[0]

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class RawArray:
    """An open array, to be read from front to back.

    Attributes:
        name: The file and, within an archive, the array; error messages begin with it.
        header: What the file says about the array.
        file: Open for reading; its position is the first value.
    """

    name: str
    header: ArrayHeader
    file: IO[bytes]

    def items(self, first: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of each item from number `first` to before `stop`.

        Raises:
            DataError: The file ends too early.
        """
        size = self.header.item_bytes
        self._skip(first)
        for number in range(first, stop):
            data = self._read(size)
            if len(data) < size:
                raise self._wrong_length(number * size + len(data))
            yield data

    def item(self, number: int) -> bytes:
        """Return the bytes of one item.

        Raises:
            ReadError: The file ends too early, although its length was right when it was listed.
        """
        self._skip(number)
        data = self._read(self.header.item_bytes)
        if len(data) < self.header.item_bytes:
            raise ReadError("the file has become shorter")
        return data

    def values(self) -> NDArray[Any]:
        """Return all values at once, in the header's shape: for labels, which are small.

        Raises:
            DataError: The file ends too early.
        """
        data = self._read(self.header.size)
        if len(data) < self.header.size:
            raise self._wrong_length(len(data))
        return np.frombuffer(data, self.header.dtype).reshape(self.header.shape)

    def check_end(self) -> None:
        """Check that the file ends after the values.

        Raises:
            DataError: More bytes follow.
        """
        if self.file.read(1):
            raise self._wrong_length(self.header.size + 1)

    def check_file_size(self, size: int) -> None:
        """Check the size of the whole file, of one that is not compressed, before anything is read.

        Raises:
            DataError: It is not what the header says.
        """
        if size != self.header.offset + self.header.size:
            raise self._wrong_length(size - self.header.offset)

    def _skip(self, count: int) -> None:
        if count:
            self.file.seek(count * self.header.item_bytes, os.SEEK_CUR)

    def _read(self, size: int) -> bytes:
        """Read this number of bytes, or all if there are fewer."""
        chunks = []
        while size > 0 and (chunk := self.file.read(min(_CHUNK, size))):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _wrong_length(self, length: int) -> DataError:
        number = "more" if length > self.header.size else f"{length:,}"
        return DataError(
            f"{self.name}: expected {self.header.size:,} bytes after a header that says {self.header.text}, found {number}"
        )
