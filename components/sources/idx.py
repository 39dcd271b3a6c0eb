"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist): magic number, sizes, then the values."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from components.sources import files
from components.sources.base import Item, Part, Source, SourceImage
from components.sources.raw_array import ArrayHeader, RawArray
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import IdxSource

_UBYTE = 0x08
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}  # by the first part of the file's name
_IMAGES_PER_PART = 50_000


class Idx(Source):
    """Pairs of `…-images-idx3-ubyte` and `…-labels-idx1-ubyte`, each plain or `.gz`; labels may be missing."""

    settings: IdxSource
    encoded = False

    def __init__(self, settings: IdxSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, paths = files.find(settings)
        inside = [path for folder in paths if files.is_folder(folder) for path in files.walk(folder, deep=False)]
        named = [path for path in inside if "images" in os.path.basename(path) and "idx3" in os.path.basename(path)]
        self.files = _without_packed_twins([*named, *(path for path in paths if not files.is_folder(path))])
        if not self.files:
            raise UsageError(
                f"sources.path: kind idx expects files named …-images-idx3-ubyte or ….gz, found none in {paths[0]}"
            )

    def digest(self) -> str:
        """Return the sha256 over the names and contents of all files."""
        labels = [path for file in self.files if (path := _labels_path(file))]
        lines = (f"{os.path.basename(path)}\0{files.digest_of(path)}\n" for path in sorted([*self.files, *labels]))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield each gzipped file whole, and the others in stretches of 50,000 images."""
        for path in self.files:
            packed = path.endswith(".gz")
            with _open_array(path, dimensions=3) as array:
                count = array.header.count
                if not packed:
                    array.check_file_size(files.size_of(path))
            if packed:
                yield Part([self._name(path)], count)
                continue
            for first in range(0, count, _IMAGES_PER_PART):
                stop = min(first + _IMAGES_PER_PART, count)
                yield Part([self._name(path), str(first), str(stop)], stop - first)

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield images in the file's order, keyed `<file>#<number>`; those of a gzipped file have no place."""
        name, *stretch = names
        path = files.path_in(self.root, name)
        with _open_array(path, dimensions=3) as array:
            labels = _read_labels(path, count=array.header.count)
            first, stop = map(int, stretch or (0, array.header.count))
            for number, data in enumerate(array.items(first, stop), start=first):
                key = f"{name}#{number:06d}"
                label = None if labels is None else str(labels[number])
                item = Item(key, label, self._splits[name], place=key if stretch else None)
                yield item, _pixels(data, array.header)
            if not stretch:
                array.check_end()

    def read(self, place: str) -> NDArray[np.uint8]:
        """Return one image: [H, W], uint8."""
        name, number = place.rsplit("#", 1)
        with _open_array(files.path_in(self.root, name), dimensions=3) as array:
            return _pixels(array.item(int(number)), array.header)

    @cached_property
    def _splits(self) -> dict[str, str | None]:
        splits = {self._name(path): _SPLITS.get(os.path.basename(path).split("-")[0]) for path in self.files}
        divided = "test" in splits.values() and set(splits.values()) != {"test"}
        return splits if divided else dict.fromkeys(splits)  # a test split alone divides nothing

    def _name(self, path: str) -> str:
        return files.name_in(self.root, path)


def read_idx(path: str | os.PathLike[str], *, dimensions: int) -> NDArray[np.uint8]:
    """Read a whole IDX file of unsigned bytes that has this number of dimensions.

    Raises:
        DataError: It is not such a file, or its length is not what its header says.
    """
    with _open_array(os.fspath(path), dimensions=dimensions) as array:
        values = array.values()
        array.check_end()
    return values


@contextmanager
def _open_array(path: str, *, dimensions: int) -> Iterator[RawArray]:
    """Open a file, gzipped or not, for as long as the block lasts."""
    offset = 4 + 4 * dimensions
    try:
        with files.open_file(path) as raw, gzip.open(raw) if path.endswith(".gz") else raw as file:
            start = file.read(offset)
            if len(start) < offset or start[:4] != bytes((0, 0, _UBYTE, dimensions)):
                raise DataError(
                    f"{path}: expected an IDX header of unsigned bytes in {dimensions} dimensions "
                    f"(00 00 08 {dimensions:02x}), found {start[:4].hex(' ') or 'an empty file'}"
                )
            shape = struct.unpack(f">{dimensions}I", start[4:])
            text = " × ".join(f"{length:,}" for length in shape)
            yield RawArray(path, ArrayHeader(shape, np.dtype(np.uint8), offset, text), cast("IO[bytes]", file))
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: expected whole gzip data, found a broken file ({error})") from None


def _pixels(data: bytes, header: ArrayHeader) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8).reshape(header.shape[1:])


def _read_labels(images_path: str, *, count: int) -> NDArray[np.uint8] | None:
    """Read the labels of a file of images: [count]; None if there is no file of labels."""
    path = _labels_path(images_path)
    if path is None:
        return None
    labels = read_idx(path, dimensions=1)
    if len(labels) != count:
        raise DataError(f"{path}: expected {count:,} labels, found {len(labels):,}")
    return labels


def _labels_path(images_path: str) -> str | None:
    folder, name = os.path.split(images_path)
    name = name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for path in (os.path.join(folder, name), os.path.join(folder, f"{name}.gz")):
        if path != images_path and files.is_file(path):
            return path
    return None


def _without_packed_twins(paths: list[str]) -> list[str]:
    """Leave out each `.gz` whose unpacked file is there too."""
    return [path for path in paths if not path.endswith(".gz") or path.removesuffix(".gz") not in paths]
