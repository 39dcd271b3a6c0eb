"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist): magic number, sizes, then the values."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO

import numpy as np

from components.sources import files
from components.sources.base import Found, Item, Part, ReadError, Source
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import IdxSource

_UBYTE = 0x08
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}  # by the file name's first part
_IMAGES_PER_PART = 50_000
_PIECE = 1 << 24


class Idx(Source):
    """Pairs of `…-images-idx3-ubyte` and `…-labels-idx1-ubyte`, each plain or `.gz`; labels may be missing."""

    settings: IdxSource
    encoded = False

    def __init__(self, settings: IdxSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, found = files.find(settings)
        inside = [path for folder in found if files.is_folder(folder) for path in files.walk(folder, deep=False)]
        named = [path for path in inside if "images" in os.path.basename(path) and "idx3" in os.path.basename(path)]
        self.files = _packed_once([*named, *(path for path in found if not files.is_folder(path))])
        if not self.files:
            raise UsageError(
                f"sources.path: kind idx expects files named …-images-idx3-ubyte or ….gz, found none in {found[0]}"
            )

    def digest(self) -> str:
        """Sha256 over the files' names and contents."""
        names = sorted([*self.files, *(found for file in self.files if (found := _labels_of(file)))])
        lines = (f"{os.path.basename(name)}\0{files.digest_of(name)}\n" for name in names)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """A gzipped file, or a stretch of one that is not."""
        for file in self.files:
            with _opened(file, dimensions=3) as (_, (count, height, width)):
                pass
            if file.endswith(".gz"):
                yield Part([self._name(file)], count)
                continue
            _check_length(file, (count, height, width))
            for first in range(0, count, _IMAGES_PER_PART):
                stop = min(first + _IMAGES_PER_PART, count)
                yield Part([self._name(file), str(first), str(stop)], stop - first)

    def images(self, names: list[str]) -> Iterator[Found]:
        """Images in the file's order, keyed `<file>#<number>`; those of a gzipped file have no place."""
        name, *stretch = names
        path = files.path_in(self.root, name)
        with _opened(path, dimensions=3) as (file, shape):
            labels = _labels(path, count=shape[0])
            first, stop = map(int, stretch or (0, shape[0]))
            if first:
                file.seek(first * shape[1] * shape[2], os.SEEK_CUR)
            for number in range(first, stop):
                key = f"{name}#{number:06d}"
                label = None if labels is None else str(labels[number])
                data = _up_to(file, shape[1] * shape[2])
                if len(data) < shape[1] * shape[2]:
                    raise _wrong_length(path, shape, number * shape[1] * shape[2] + len(data))
                place = key if stretch else None
                yield Item(key, label, self._splits[name], place), np.frombuffer(data, np.uint8).reshape(shape[1:])
            if not stretch and file.read(1):
                raise _wrong_length(path, shape, math.prod(shape) + 1)

    def read(self, place: str) -> np.ndarray:
        """One image: [H, W], uint8."""
        name, number = place.rsplit("#", 1)
        with _opened(files.path_in(self.root, name), dimensions=3) as (file, (_, height, width)):
            file.seek(int(number) * height * width, os.SEEK_CUR)
            data = file.read(height * width)
        if len(data) < height * width:
            raise ReadError("the file has become shorter")
        return np.frombuffer(data, np.uint8).reshape(height, width)

    @cached_property
    def _splits(self) -> dict[str, str | None]:
        found = {self._name(file): _SPLITS.get(os.path.basename(file).split("-")[0]) for file in self.files}
        divided = "test" in found.values() and set(found.values()) != {"test"}
        return found if divided else dict.fromkeys(found)  # half a division is none

    def _name(self, file: str) -> str:
        return files.name_in(self.root, file)


def read_idx(path: str | os.PathLike[str], *, dimensions: int) -> np.ndarray:
    """The values of an IDX file of unsigned bytes, with so many dimensions.

    Raises:
        DataError: It is not such a file, or its length is not what its header says.
    """
    with _opened(os.fspath(path), dimensions=dimensions) as (file, shape):
        size = math.prod(shape)
        data = _up_to(file, size + 1)
    if len(data) != size:
        raise _wrong_length(os.fspath(path), shape, len(data))
    return np.frombuffer(data, np.uint8).reshape(shape)


def _up_to(file: IO[bytes], size: int) -> bytes:
    """So many bytes, or what there is, in pieces: a header that lies cannot make us reserve memory for its lie."""
    pieces = []
    while size > 0 and (piece := file.read(min(_PIECE, size))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@contextmanager
def _opened(path: str, *, dimensions: int) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """The file after its header, and the shape that the header claims."""
    try:
        with files.open_file(path) as raw, gzip.open(raw) if path.endswith(".gz") else raw as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, _UBYTE, dimensions)):
                raise DataError(
                    f"{path}: expected an IDX header of unsigned bytes in {dimensions} dimensions "
                    f"(00 00 08 {dimensions:02x}), found {header[:4].hex(' ') or 'an empty file'}"
                )
            yield file, struct.unpack(f">{dimensions}I", header[4:])
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: expected whole gzip data, found a broken file ({error})") from None


def _labels(path: str, *, count: int) -> np.ndarray | None:
    file = _labels_of(path)
    if file is None:
        return None
    labels = read_idx(file, dimensions=1)
    if len(labels) != count:
        raise DataError(f"{file}: expected {count:,} labels, found {len(labels):,}")
    return labels


def _check_length(path: str, shape: tuple[int, ...]) -> None:
    found = files.size_of(path) - 4 - 4 * len(shape)
    if found != math.prod(shape):
        raise _wrong_length(path, shape, found)


def _wrong_length(path: str, shape: tuple[int, ...], found: int) -> DataError:
    size = math.prod(shape)
    claim = " × ".join(f"{length:,}" for length in shape)
    more = "more" if found > size else f"{found:,}"
    return DataError(f"{path}: expected {size:,} bytes after a header that says {claim}, found {more}")


def _packed_once(found: list[str]) -> list[str]:
    """Without the `.gz` of a file that was unpacked beside it."""
    return [path for path in found if not path.endswith(".gz") or path.removesuffix(".gz") not in found]


def _labels_of(path: str) -> str | None:
    folder, name = os.path.split(path)
    name = name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for candidate in (os.path.join(folder, name), os.path.join(folder, f"{name}.gz")):
        if candidate != path and files.is_file(candidate):
            return candidate
    return None
