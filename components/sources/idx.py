"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist): magic number, sizes, then the values."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from components.sources import files
from components.sources.annotations import (
    SPLIT_WORDS,
    label_text,
    remark_on_evaluation,
    split_word_of_path,
)
from components.sources.base import Item, Part, ReadError, Source, SourceImage
from components.sources.raw_array import ArrayHeader, RawArray
from components.sources.shard_splits import remark_on_others, splits_of_shards
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import IdxSource

_UBYTE = 0x08
# Of values, by the third byte.
_TYPES = {_UBYTE: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES_MAGIC = bytes((0, 0, _UBYTE, 3))
_IMAGES_HEADER = 16  # bytes
_IMAGES_PER_PART = 50_000
_IMAGE_WORDS = {"images", "image", "imgs", "img"}
_LABEL_WORDS = {"labels", "label"}
_FORMAT_WORDS = {"idx", "idx1", "idx2", "idx3", "ubyte", "ubytes", "byte", "short", "int", "float", "double", "gz"}


class Idx(Source):
    """Pairs of files of images and of labels, such as `…-images-idx3-ubyte` and `…-labels-idx1-ubyte`, each plain or `.gz`.

    Labels may be missing. They may be of any type and, as QMNIST's, have further columns, of which the first one counts.
    """

    settings: IdxSource
    encoded = False

    def __init__(self, settings: IdxSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, paths = files.find(settings)
        single = [path for path in paths if not files.is_folder(path)]
        if len(paths) > 1:  # a pattern, which may match labels too
            single = _named(single) or single
        folders = [path for path in paths if files.is_folder(path)]
        named = _named(path for folder in folders for path in files.walk(folder, deep=False))
        if not named and not single:
            below = [path for folder in folders for path in files.walk(folder)]
            named = _named(below) or [path for path in below if _holds_images(path)]
        self.files = _without_packed_twins([*named, *single])
        if not self.files:
            raise UsageError(
                f"sources.path: kind idx expects files named …-images-idx3-ubyte or ….gz, found none in {paths[0]}"
            )

    def digest(self) -> str:
        """Return the sha256 over the names and contents of all files; a folder in a name may say the split."""
        labels = [path for file in self.files if (path := _labels_path(file))]
        paths = sorted([*self.files, *labels])
        lines = (f"{os.path.relpath(path, self.root)}\0{files.digest_of(path)}\n" for path in paths)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield each gzipped file whole, and the others in stretches of 50,000 images."""
        for path in self.files:
            packed = path.endswith(".gz")
            with _open_images(path) as array:
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
        with _open_images(path) as array:
            labels = _read_labels(path, count=array.header.count)
            first, stop = map(int, stretch or (0, array.header.count))
            for number, data in enumerate(array.items(first, stop), start=first):
                key = f"{name}#{number:06d}"
                label = None if labels is None else label_text(labels[number].item())
                item = Item(key, label, self._splits[name], place=key if stretch else None)
                yield item, _pixels(data, array.header)
            if not stretch:
                array.check_end()

    def read(self, place: str) -> NDArray[np.uint8]:
        """Return one image: [H, W], uint8."""
        name, number = place.rsplit("#", 1)
        try:
            with _open_images(files.path_in(self.root, name)) as array:
                return _pixels(array.item(int(number)), array.header)
        except DataError as error:
            raise ReadError(f"listed, then another file: {error}") from None

    def remarks(self) -> list[str]:
        """Return sentences on files of several data sets, on labels with several columns, and on evaluation files."""
        remarks = []
        sets: dict[str, str] = {}
        for path in self.files:
            words = [word for word in _words(path, without=_IMAGE_WORDS) if word not in SPLIT_WORDS and word != "t10k"]
            sets.setdefault(" ".join(words), path)
        if len(sets) > 1:
            names = ", ".join(f"`{os.path.basename(path)}`" for path in sets.values())
            remarks.append(
                f"The files are of {len(sets)} sets, and all were taken: {names:.300}; `path` can name those of one."
            )
        for path in self.files:
            labels = _labels_path(path)
            if labels and (columns := _label_columns(labels)) > 1:
                remarks.append(
                    f"`{os.path.basename(labels)}` has {columns} columns, and the first was taken as the label."
                )
        if any(self._splits.values()):
            other = "`path` can name the files of another division"
            remarks += remark_on_others(self._split_words, self._splits, other=other)
            remarks += remark_on_evaluation({word for word in self._split_words.values() if word}, other=other)
        return remarks

    @cached_property
    def _split_words(self) -> dict[str, str | None]:
        return {name: split_word_of_path(name) for name in map(self._name, self.files)}

    @cached_property
    def _splits(self) -> dict[str, str | None]:
        return splits_of_shards(self._split_words)

    def _name(self, path: str) -> str:
        return files.name_in(self.root, path)


@contextmanager
def _open_images(path: str) -> Iterator[RawArray]:
    """Open a file of images, gzipped or not, for as long as the block lasts: [n, H, W], unsigned bytes."""
    with _open(path) as file:
        start = file.read(_IMAGES_HEADER)
        if len(start) < _IMAGES_HEADER or start[:4] != _IMAGES_MAGIC:
            raise DataError(
                f"{path}: expected an IDX header of unsigned bytes in 3 dimensions (00 00 08 03), "
                f"found {start[:4].hex(' ') or 'an empty file'}"
            )
        array = _raw_array(path, file, start)
        if array.header.count and not array.header.item_bytes:  # a few bytes could promise billions of them
            raise DataError(f"{path}: expected images with pixels, found {array.header.text}")
        yield array


@contextmanager
def _open_labels(path: str) -> Iterator[RawArray]:
    """Open a file of labels, gzipped or not, for as long as the block lasts: [n] or [n, columns], of any type."""
    with _open(path) as file:
        magic = file.read(4)
        start = magic + file.read(4 * magic[3]) if len(magic) == 4 else magic
        if len(start) < 8 or start[:2] != b"\0\0" or start[2] not in _TYPES or start[3] not in (1, 2):
            raise DataError(
                f"{path}: expected an IDX header of labels in 1 or 2 dimensions (00 00 08 01), "
                f"found {magic.hex(' ') or 'an empty file'}"
            )
        if len(start) < 4 + 4 * start[3]:
            raise DataError(f"{path}: expected an IDX header of {4 + 4 * start[3]} bytes, found {len(start)}")
        yield _raw_array(path, file, start)


@contextmanager
def _open(path: str) -> Iterator[IO[bytes]]:
    try:
        with files.open_file(path) as raw, gzip.open(raw) if path.endswith(".gz") else raw as file:
            yield cast("IO[bytes]", file)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: expected whole gzip data, found a broken file ({error})") from None


def _raw_array(path: str, file: IO[bytes], start: bytes) -> RawArray:
    shape = struct.unpack(f">{start[3]}I", start[4:])
    text = " × ".join(f"{length:,}" for length in shape)
    return RawArray(path, ArrayHeader(shape, np.dtype(_TYPES[start[2]]), len(start), text), file)


def _holds_images(path: str) -> bool:
    """Return whether a file begins as images in IDX do."""
    try:
        with _open(path) as file:
            return file.read(4) == _IMAGES_MAGIC
    except (DataError, OSError):
        return False


def _pixels(data: bytes, header: ArrayHeader) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8).reshape(header.shape[1:])


def _read_labels(images_path: str, *, count: int) -> NDArray[Any] | None:
    """Read the labels of a file of images: [count]; None if there is no file of labels."""
    path = _labels_path(images_path)
    if path is None:
        return None
    with _open_labels(path) as array:
        if array.header.count != count:
            raise DataError(f"{path}: expected {count:,} labels, found {array.header.count:,}")
        labels = array.values()
        array.check_end()
    return labels if labels.ndim == 1 else labels[:, 0]


def _label_columns(path: str) -> int:
    with _open_labels(path) as array:
        return array.header.shape[1] if len(array.header.shape) == 2 else 1


def _labels_path(images_path: str) -> str | None:
    """Return the path of the labels: with MNIST's words, or in the same folder with the same other words."""
    folder, name = os.path.split(images_path)
    name = name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    beside = os.path.basename(folder).replace("images", "labels").replace("idx3", "idx1")
    # Kaggle unpacks each file into its own folder.
    for place in (folder, os.path.join(os.path.dirname(folder), beside)):
        for path in (os.path.join(place, name), os.path.join(place, f"{name}.gz")):
            if path != images_path and files.is_file(path):
                return path
    words = _words(images_path, without=_IMAGE_WORDS)
    if words == _words(images_path):  # whose name does not say that it is images
        return None
    return next(
        (
            path
            for path in files.walk(folder or ".", deep=False)
            if _LABEL_WORDS & set(_words(path)) and _words(path, without=_LABEL_WORDS) == words and _holds_labels(path)
        ),
        None,
    )


def _holds_labels(path: str) -> bool:
    try:
        return _label_columns(path) > 0
    except (DataError, OSError):
        return False


def _named(paths: Iterable[str]) -> list[str]:
    """Return the files that are images by their names."""
    return [path for path in paths if "images" in os.path.basename(path) and "idx3" in os.path.basename(path)]


def _words(path: str, *, without: Iterable[str] = ()) -> list[str]:
    """Return the words of a file's name, without those that tell its format."""
    left_out = _FORMAT_WORDS | set(without)
    return [word for word in re.findall("[a-z0-9]+", os.path.basename(path).lower()) if word not in left_out]


def _without_packed_twins(paths: list[str]) -> list[str]:
    """Leave out each `.gz` whose unpacked file is there too."""
    return [path for path in paths if not path.endswith(".gz") or path.removesuffix(".gz") not in paths]
