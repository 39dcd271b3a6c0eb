"""NumPy's files: an array of images in an `.npy`, or several with their labels in an `.npz`."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.sources import files
from components.sources.annotations import label_text, split_in, splits_if_divided
from components.sources.base import Item, Part, ReadError, Source, SourceImage
from components.sources.npy import ArrayPlace, errors_of, open_array
from components.sources.raw_array import ArrayHeader
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ArraySource

_IMAGES_PER_PART = 10_000
# How the name of an array of images becomes the name of its labels.
_LABEL_NAMES = (("images", "labels"), ("image", "label"), ("imgs", "labels"), ("x", "y"), ("X", "y"), ("X", "Y"))
_LABEL_NAMES_IF_ALONE = ("labels", "label", "y")


class Array(Source):
    """Images [N, H, W] or [N, H, W, 1, 3 or 4], keyed `<file>#<number>`, in an `.npz` `<file>/<array>#<number>`.

    uint8 is taken as it is, and bool as 0 and 255. uint16 becomes value / 257, rounded down, as for files with 16 bits; a
    float from 0 to 1 becomes 255 · value, rounded. Images of an `.npz` have no place, because its arrays can only be read
    from front to back.
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
        for place, labels in self._arrays.items():
            with open_array(place) as array:
                header = array.header
                self._check(place, header)
                if not place.name:
                    array.check_file_size(files.size_of(place.path))
            names = [files.name_in(self.root, place.path), place.name, *(labels or ("", "")), self._splits[place] or ""]
            if place.name:
                yield Part([*names, "0", str(header.count)], header.count)
                continue
            for first in range(0, header.count, _IMAGES_PER_PART):
                stop = min(first + _IMAGES_PER_PART, header.count)
                yield Part([*names, str(first), str(stop)], stop - first)

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield images in the array's order."""
        name, array_name, labels_path, labels_name, split = names[:5]
        first, stop = map(int, names[5:])
        prefix = f"{name}/{array_name}" if array_name else name
        with open_array(ArrayPlace(files.path_in(self.root, name), array_name)) as array:
            count = array.header.count
            labels = _read_labels(ArrayPlace(labels_path, labels_name), count=count) if labels_path else None
            for number, data in enumerate(array.items(first, stop), start=first):
                key = f"{prefix}#{number:06d}"
                label = None if labels is None else label_text(labels[number].item())
                yield Item(key, label, split or None, None if array_name else key), _pixels(data, array.header)
            if array_name:
                array.check_end()

    def read(self, place: str) -> NDArray[np.uint8]:
        """Return one image of an `.npy`: [H, W] or [H, W, C], uint8."""
        name, number = place.rsplit("#", 1)
        try:
            with open_array(ArrayPlace(files.path_in(self.root, name), "")) as array:
                pixels = _pixels(array.item(int(number)), array.header)
        except DataError as error:
            raise ReadError(f"listed, then another file: {error}") from None
        if isinstance(pixels, ReadError):
            raise pixels
        return pixels

    @cached_property
    def _arrays(self) -> dict[ArrayPlace, ArrayPlace | None]:
        """The place of every array of images, and of its labels."""
        places: dict[ArrayPlace, ArrayPlace | None] = {}
        for path in self.files:
            if path.lower().endswith(".npz"):
                headers = self._headers(path)
                image_names = self._image_names(path, headers)
                for name in image_names:
                    labels = self._labels_name(name, list(headers), alone=len(image_names) == 1)
                    places[ArrayPlace(path, name)] = None if labels is None else ArrayPlace(path, labels)
            else:
                places[ArrayPlace(path, "")] = self._labels_beside(path)
        label_places = set(places.values())
        return {place: labels for place, labels in places.items() if place not in label_places}

    def _headers(self, path: str) -> dict[str, ArrayHeader]:
        """Read the header of every array of an `.npz`.

        Raises:
            DataError: It is no `.npz`, or would unpack to more than `preprocess` allows.
        """
        with files.open_file(path) as raw, errors_of(path), zipfile.ZipFile(raw) as archive:
            members = [info for name, info in sorted(archive.NameToInfo.items()) if name.endswith(".npy")]
        if len(members) > self.preprocess.max_members:
            raise DataError(f"{path}: expected at most {self.preprocess.max_members:,} arrays, found {len(members):,}")
        for info in members:
            if info.file_size > self.preprocess.max_expansion * max(info.compress_size, 1 << 10):
                raise DataError(
                    f"{path}: expected arrays that unpack to at most {self.preprocess.max_expansion:,} times their bytes, "
                    f"found {info.filename}; raise preprocess.max_expansion if that is right"
                )
        headers = {}
        for info in members:
            name = info.filename.removesuffix(".npy")
            with open_array(ArrayPlace(path, name)) as array:
                headers[name] = array.header
        return headers

    def _image_names(self, path: str, headers: dict[str, ArrayHeader]) -> list[str]:
        """Choose the arrays of images among those of an `.npz`."""
        contents = ", ".join(f"{name} {header.text}" for name, header in headers.items()) or "none"
        if self.settings.images is not None:
            if self.settings.images not in headers:
                raise UsageError(
                    f"sources.images: expected an array of {path}, found {self.settings.images!r}; it has {contents}"
                )
            return [self.settings.images]
        names = [name for name, header in headers.items() if len(header.shape) in (3, 4)]
        splits = [split_in(name) for name in names]
        if not names:
            raise DataError(f"{path}: expected an array of images [N, H, W] or [N, H, W, C], found {contents}")
        if len(names) > 1 and (None in splits or len(set(splits)) < len(splits)):
            raise UsageError(f"sources.images: expected the name of one of {', '.join(names)} in {path}, found none")
        return names

    def _labels_name(self, image_name: str, array_names: list[str], *, alone: bool) -> str | None:
        """Choose the array of labels in an `.npz`; `alone` says whether it has no other array of images."""
        setting = self.settings.labels
        if setting == "none":
            return None
        if setting is not None:
            if setting not in array_names:
                raise UsageError(
                    f"sources.labels: expected one of {', '.join(array_names)}, or none, found {setting!r}"
                )
            return setting
        candidates = [*_label_names_of(image_name), *(_LABEL_NAMES_IF_ALONE if alone else ())]
        return next((name for name in candidates if name in array_names), None)

    def _labels_beside(self, path: str) -> ArrayPlace | None:
        """Return the place of an `.npy`'s labels: another `.npy` in the same folder."""
        if self.settings.labels == "none":
            return None
        folder, base = os.path.split(path)
        stem, ending = os.path.splitext(base)
        names = [self.settings.labels] if self.settings.labels else _label_names_of(stem)
        candidates = [os.path.join(folder, f"{name}{ending}") for name in names]
        labels_path = next((candidate for candidate in candidates if files.is_file(candidate)), None)
        if self.settings.labels and not labels_path:
            raise UsageError(f"sources.labels: expected an array's name, or none, found nothing at {candidates[0]}")
        return ArrayPlace(labels_path, "") if labels_path else None

    @cached_property
    def _splits(self) -> dict[ArrayPlace, str | None]:
        return splits_if_divided(
            {place: split_in(place.name) or split_in(os.path.basename(place.path)) for place in self._arrays}
        )

    def _check(self, place: ArrayPlace, header: ArrayHeader) -> None:
        """Check that an array holds images that can be used."""
        shape = header.shape
        one_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
        if one_image or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
            hint = "; one image needs a first axis: image[None]" if one_image else ""
            raise DataError(f"{place}: expected images [N, H, W] or [N, H, W, 1, 3 or 4], found {header.text}{hint}")
        kind, size = header.dtype.kind, header.dtype.itemsize
        if kind != "f" and (kind, size) not in (("u", 1), ("u", 2), ("b", 1)):
            raise DataError(f"{place}: expected uint8, bool, uint16 or floats from 0 to 1, found {header.text}")
        if header.columns_first:
            raise DataError(
                f"{place}: expected rows first (C order), found columns first; np.ascontiguousarray turns them"
            )
        if not 0 < shape[1] * shape[2] <= self.preprocess.max_pixels:
            raise DataError(
                f"{place}: expected images of 1 to {self.preprocess.max_pixels:,} pixels (preprocess.max_pixels), "
                f"found {header.text}"
            )


def _label_names_of(image_name: str) -> list[str]:
    """Return the names that labels of such images usually have: ``y_train`` for ``x_train``."""
    names = [re.sub(f"(?<![A-Za-z]){old}(?![A-Za-z])", new, image_name) for old, new in _LABEL_NAMES]
    return [name for name in names if name != image_name]


def _pixels(data: bytes, header: ArrayHeader) -> NDArray[np.uint8] | ReadError:
    """Scale one image to uint8; return the error if its floats are not from 0 to 1."""
    kind, shape = header.dtype.kind, header.shape[1:]
    if kind == "b":
        return np.where(np.frombuffer(data, np.uint8) != 0, np.uint8(255), np.uint8(0)).reshape(shape)
    values: NDArray[Any] = np.frombuffer(data, header.dtype).reshape(shape)
    if kind == "f":
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 1):  # so written that NaN fails
            return ReadError(f"expected floats from 0 to 1, found {low:g} to {high:g}")
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    pixels: NDArray[np.uint8] = (values // 257).astype(np.uint8) if header.dtype.itemsize == 2 else values
    return pixels


def _read_labels(place: ArrayPlace, *, count: int) -> NDArray[Any]:
    """Read one label per image: [N]."""
    with open_array(place) as array:
        header = array.header
        if header.shape not in ((count,), (count, 1)) or header.dtype.kind not in "biufSU":
            raise DataError(
                f"{place}: expected {count:,} labels of text or numbers, found {header.text}; "
                "name others by sources.labels, or set it to none"
            )
        return array.values().reshape(count)
