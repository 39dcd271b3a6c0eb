"""NumPy's files: an array of images in an `.npy`, or several with their labels in an `.npz`."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.sources import array_choice as choice
from components.sources import files
from components.sources.annotations import (
    label_text,
    remark_on_evaluation,
    split_word_in,
    split_word_of_path,
)
from components.sources.base import Item, Part, ReadError, Source, SourceImage
from components.sources.image_set import TABLE, labels_in_set
from components.sources.npy import ArrayPlace, open_array
from components.sources.raw_array import ArrayHeader
from components.sources.shard_splits import remark_on_others, splits_of_shards
from components.sources.value_range import UNIT, ValueRange, recognise, survey, to_bytes, type_range
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ArraySource

_IMAGES_PER_PART = 10_000
_MOST_LABEL_BYTES = 1 << 28


class Array(Source):
    """Images [N, H, W], [N, H, W, C] or [N, C, H, W], keyed `<file>#<number>`, in an `.npz` `<file>/<array>#<number>`.

    C is 1, 3 or 4. uint8 is taken as it is, and bool as 0 and 255. uint16 becomes value / 257, rounded down, as for files
    with 16 bits. The range of other numbers, and of uint16 and uint8 that stay below 256 and 2, is recognised over the whole
    array; they are scaled and rounded. Images of an `.npz` have no place, because its arrays can only be read from front to
    back. Of several files, those without images are not read, except for labels.
    """

    settings: ArraySource
    encoded = False

    def __init__(self, settings: ArraySource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self.files = files.find_files(settings, endings=(".npy", ".npz"))

    def digest(self) -> str:
        """Return the sha256 over the names and contents of all files, those of labels included."""
        paths = {place.path for pair in self._arrays.items() for place in pair if place}
        lines = (f"{files.name_in(self.root, path)}\0{files.digest_of(path)}\n" for path in sorted(paths))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield each array of an `.npz` whole, and an `.npy` in stretches of 10,000 images."""
        ranges = self._ranges
        for place, labels in self._arrays.items():
            count = self._headers[place.path][place.name].count
            name, scale = files.name_in(self.root, place.path), _range_as_text(ranges[place])
            names = [name, place.name, *(labels or ("", "")), self._splits[place] or "", scale]
            if place.name:
                yield Part([*names, "0", str(count)], count)
                continue
            for first in range(0, count, _IMAGES_PER_PART):
                stop = min(first + _IMAGES_PER_PART, count)
                yield Part([*names, str(first), str(stop)], stop - first)

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield images in the array's order."""
        name, array_name, labels_path, labels_name, split, scale = names[:6]
        first, stop = map(int, names[6:])
        prefix = f"{name}/{array_name}" if array_name else name
        value_range = _range_of_text(scale)
        with open_array(ArrayPlace(files.path_in(self.root, name), array_name)) as array:
            count = array.header.count
            labels = _read_labels(ArrayPlace(labels_path, labels_name), count=count) if labels_path else None
            for number, data in enumerate(array.items(first, stop), start=first):
                key = f"{prefix}#{number:06d}"
                label = None if labels is None else label_text(labels[number])
                place = None if array_name else f"{key}@{scale}" if scale else key
                yield Item(key, label, split or None, place), _pixels(data, array.header, value_range)
            if array_name:
                array.check_end()

    def read(self, place: str) -> NDArray[np.uint8]:
        """Return one image of an `.npy`: [H, W] or [H, W, C], uint8."""
        name, number = place.rsplit("#", 1)
        number, _, scale = number.partition("@")
        try:
            with open_array(ArrayPlace(files.path_in(self.root, name), "")) as array:
                pixels = _pixels(array.item(int(number)), array.header, _range_of_text(scale))
        except DataError as error:
            raise ReadError(f"listed, then another file: {error}") from None
        if isinstance(pixels, ReadError):
            raise pixels
        return pixels

    def remarks(self) -> list[str]:
        """Return sentences on the arrays that were chosen, their ranges and axes, and the words for their splits."""
        remarks = []
        used = {place for pair in self._arrays.items() for place in pair if place}
        every = [ArrayPlace(path, name) for path in self.files for name in self._headers[path]]
        if unused := [self._short(place) for place in every if place not in used]:
            remarks.append(f"Not read: {', '.join(unused):.200}; `images` and `labels` name arrays.")
        for place, value_range in self._ranges.items():
            header = self._headers[place.path][place.name]
            if self.settings.range is None and value_range != (type_range(header) or UNIT):
                remarks.append(
                    f"{self._short(place)}: black and white are {value_range}; `range: [low, high]` says others."
                )
            if choice.channels_first(header.shape):
                remarks.append(f"{self._short(place)}: {header.text} was taken as [N, C, H, W], channels first.")
        for place, labels in self._arrays.items():
            if labels and self.settings.labels is None and choice.is_guess(place, labels):
                remarks.append(
                    f"{self._short(labels)} was taken as the labels of {self._short(place)}; `labels: none` takes none."
                )
        if any(self._splits.values()):
            words = {word for word in self._words.values() if word}
            other = "`path` can name the files of another division"
            remarks += remark_on_evaluation(words, other=other)
            words_by_name = {self._short(place): word for place, word in self._words.items()}
            splits = {self._short(place): split for place, split in self._splits.items()}
            remarks += remark_on_others(words_by_name, splits, other=other)
        return remarks

    def _short(self, place: ArrayPlace) -> str:
        name = files.name_in(self.root, place.path)
        return f"`{name}/{place.name}`" if place.name else f"`{name}`"

    @cached_property
    def _headers(self) -> dict[str, dict[str, ArrayHeader]]:
        """The header of every array, by file and name."""
        return {path: choice.headers_in(path, self.preprocess) for path in self.files}

    @cached_property
    def _arrays(self) -> dict[ArrayPlace, ArrayPlace | None]:
        """The place of every array of images, and of its labels."""
        names = {
            path: choice.image_names(path, headers, self.settings.images) for path, headers in self._headers.items()
        }
        if not any(names.values()):
            self._refuse()
        places = [ArrayPlace(path, name) for path in self.files for name in names[path]]
        arrays = {
            place: choice.labels_of(
                place,
                self._headers[place.path],
                self.settings.labels,
                alone=len(names[place.path]) == 1,
                alone_in_folder=choice.count_in_folder(places, place) == 1,
            )
            for place in places
        }
        label_places = set(arrays.values())
        return {place: labels for place, labels in arrays.items() if place not in label_places}

    def _refuse(self) -> None:
        """Say why no array is images.

        Raises:
            DataError, UsageError: Always.
        """
        path = self.files[0]
        headers = self._headers[path]
        if "" in headers:
            self._check(ArrayPlace(path, ""), headers[""])
        if self.settings.images is not None:
            raise UsageError(
                f"sources.images: expected an array of {path}, found {self.settings.images!r}; "
                f"it has {choice.contents_of(headers)}"
            )
        raise DataError(
            f"{path}: expected an array of images [N, H, W] or [N, H, W, C], found {choice.contents_of(headers)}"
        )

    @cached_property
    def _words(self) -> dict[ArrayPlace, str | None]:
        """The split word in each array's name, or in its file's or a folder's."""
        return {
            place: split_word_in(place.name) or split_word_of_path(files.name_in(self.root, place.path))
            for place in self._arrays
        }

    @cached_property
    def _splits(self) -> dict[ArrayPlace, str | None]:
        return splits_of_shards(self._words)

    @cached_property
    def _ranges(self) -> dict[ArrayPlace, ValueRange]:
        """The range of each array's values; to recognise it, they are read through once."""
        headers = {place: self._headers[place.path][place.name] for place in self._arrays}
        surveys = {}
        for place, header in headers.items():
            self._check(place, header)
            with open_array(place) as array:
                if not place.name:
                    array.check_file_size(files.size_of(place.path))
                if self.settings.range is None:
                    surveys[place] = survey(array)
        if self.settings.range is not None:
            low, high = self.settings.range
            return {
                place: UNIT if header.dtype.kind == "b" else ValueRange(low, high, clip=True)
                for place, header in headers.items()
            }
        return recognise(surveys, headers)

    def _check(self, place: ArrayPlace, header: ArrayHeader) -> None:
        """Check that an array holds images that can be used."""
        shape = header.shape
        one_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
        channels_first = choice.channels_first(shape)
        wrong_channels = len(shape) == 4 and shape[3] not in (1, 3, 4) and not channels_first
        if one_image or len(shape) not in (3, 4) or wrong_channels:
            hint = "; one image needs a first axis: image[None]" if one_image else ""
            side = math.isqrt(shape[1]) if len(shape) == 2 else 0
            if side > 1 and side * side == shape[1]:
                hint += f"; images in rows need their shape: images.reshape(-1, {side}, {side})"
            raise DataError(f"{place}: expected images [N, H, W] or [N, H, W, 1, 3 or 4], found {header.text}{hint}")
        if header.dtype.kind not in "biuf":
            raise DataError(f"{place}: expected uint8, bool, uint16 or other numbers, found {header.text}")
        if header.columns_first:
            raise DataError(
                f"{place}: expected rows first (C order), found columns first; np.ascontiguousarray turns them"
            )
        height, width = shape[2:] if channels_first else shape[1:3]
        if not 0 < height * width <= self.preprocess.max_pixels:
            raise DataError(
                f"{place}: expected images of 1 to {self.preprocess.max_pixels:,} pixels (preprocess.max_pixels), "
                f"found {header.text}"
            )


def _pixels(data: bytes, header: ArrayHeader, value_range: ValueRange | None) -> NDArray[np.uint8] | ReadError:
    """Scale one image to uint8, [H, W] or [H, W, C]; return the error if its values are beyond the range."""
    pixels = to_bytes(
        np.frombuffer(data, header.dtype).reshape(header.shape[1:]), value_range or type_range(header) or UNIT
    )
    if isinstance(pixels, ReadError) or not choice.channels_first(header.shape):
        return pixels
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _range_as_text(value_range: ValueRange) -> str:
    return f"{value_range.low!r},{value_range.high!r},{value_range.clip:d}"


def _range_of_text(text: str) -> ValueRange | None:
    if not text:
        return None
    low, high, clip = text.split(",")
    return ValueRange(float(low), float(high), clip == "1")


def _read_labels(place: ArrayPlace, *, count: int) -> list[Any]:
    """Read one label per image; of rows that mark one of several classes, its number."""
    if os.path.basename(place.path) == TABLE:
        labels = labels_in_set(place.path, place.name)
        if len(labels) != count:
            raise DataError(f"{place.path}: expected {count:,} rows of {place.name}, found {len(labels):,}")
        return labels
    with open_array(place) as array:
        header = array.header
        values = (
            array.values() if choice.could_be_labels(header, count=count) and header.size < _MOST_LABEL_BYTES else None
        )
    if values is not None and values.size == count:
        return list(values.reshape(count).tolist())
    if values is not None and np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all():
        return list(values.argmax(axis=1).tolist())
    raise DataError(
        f"{place}: expected {count:,} labels of text or numbers, found {header.text}; "
        "name others by sources.labels, or set it to none"
    )
