"""NumPy's files: an array of images in an `.npy`, or several with their labels in an `.npz`."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from components.sources import files
from components.sources.annotations import divided, label_text, split_in
from components.sources.base import Found, Item, Part, ReadError, Source
from components.sources.npy import Header, Place, opened, reading, up_to, wrong_length
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ArraySource

_IMAGES_PER_PART = 10_000
_LABELS_BESIDE = (("images", "labels"), ("image", "label"), ("imgs", "labels"), ("x", "y"), ("X", "y"), ("X", "Y"))
_LABELS_ALONE = ("labels", "label", "y")


class Array(Source):
    """Images [N, H, W] or [N, H, W, 1, 3 or 4], keyed `<file>#<number>`, in an `.npz` `<file>/<array>#<number>`.

    uint8 is taken as it is; bool as 0 and 255; uint16 as the whole part of value / 257, as of files with 16 bits; floats
    from 0 to 1 as round(255 · value). Images of an `.npz` have no place: its arrays can only be read from front to back.
    """

    settings: ArraySource
    encoded = False

    def __init__(self, settings: ArraySource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self.files = files.find_files(settings, endings=(".npy", ".npz"))

    def digest(self) -> str:
        """Sha256 over the files' names and contents, those of labels beside included."""
        paths = {place.path for pair in self._arrays.items() for place in pair if place}
        lines = (f"{files.name_in(self.root, path)}\0{files.digest_of(path)}\n" for path in sorted(paths))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """An array of an `.npz`, or a stretch of an `.npy`."""
        for images, labels in self._arrays.items():
            with opened(images) as (_, header):
                self._check(images, header)
            split = self._splits[images] or ""
            names = [files.name_in(self.root, images.path), images.name, *(labels or ("", "")), split]
            if images.name:
                yield Part([*names, "0", str(header.count)], header.count)
                continue
            found = files.size_of(images.path) - header.length
            if found != header.count * header.image_bytes:
                raise wrong_length(images, header, found)
            for first in range(0, header.count, _IMAGES_PER_PART):
                stop = min(first + _IMAGES_PER_PART, header.count)
                yield Part([*names, str(first), str(stop)], stop - first)

    def images(self, names: list[str]) -> Iterator[Found]:
        """Images in the array's order."""
        name, array, labels_path, labels_name, split, first, stop = names
        place = Place(files.path_in(self.root, name), array)
        with opened(place) as (file, header):
            labels = _labels(Place(labels_path, labels_name), count=header.count) if labels_path else None
            if int(first):
                file.seek(int(first) * header.image_bytes, os.SEEK_CUR)
            for number in range(int(first), int(stop)):
                key = f"{name}/{array}#{number:06d}" if array else f"{name}#{number:06d}"
                label = None if labels is None else label_text(labels[number].item())
                data = up_to(file, header.image_bytes)
                if len(data) < header.image_bytes:
                    raise wrong_length(place, header, number * header.image_bytes + len(data))
                yield Item(key, label, split or None, None if array else key), _image(data, header)
            if array and file.read(1):
                raise wrong_length(place, header, header.count * header.image_bytes + 1)

    def read(self, place: str) -> np.ndarray:
        """One image of an `.npy`: [H, W] or [H, W, C], uint8."""
        name, number = place.rsplit("#", 1)
        try:
            with opened(Place(files.path_in(self.root, name), "")) as (file, header):
                file.seek(int(number) * header.image_bytes, os.SEEK_CUR)
                data = file.read(header.image_bytes)
        except DataError as error:
            raise ReadError(f"listed, then another file: {error}") from None
        if len(data) < header.image_bytes:
            raise ReadError("the file has become shorter")
        image = _image(data, header)
        if isinstance(image, ReadError):
            raise image
        return image

    @cached_property
    def _arrays(self) -> dict[Place, Place | None]:
        """Every array of images, and where its labels are."""
        found: dict[Place, Place | None] = {}
        for path in self.files:
            if path.lower().endswith(".npz"):
                members = self._members(path)
                chosen = self._chosen(path, members)
                for name in chosen:
                    labels = self._labels_name(name, list(members), alone=len(chosen) == 1)
                    found[Place(path, name)] = None if labels is None else Place(path, labels)
            else:
                found[Place(path, "")] = self._labels_beside(path)
        listed = set(found.values())
        return {images: labels for images, labels in found.items() if images not in listed}

    def _members(self, path: str) -> dict[str, Header]:
        """The arrays of an `.npz`.

        Raises:
            DataError: It is none, or would unpack to more than `preprocess` allows.
        """
        with files.open_file(path) as raw, reading(path), zipfile.ZipFile(raw) as archive:
            infos = [info for name, info in sorted(archive.NameToInfo.items()) if name.endswith(".npy")]
        if len(infos) > self.preprocess.max_members:
            raise DataError(f"{path}: expected at most {self.preprocess.max_members:,} arrays, found {len(infos):,}")
        for info in infos:
            if info.file_size > self.preprocess.max_expansion * max(info.compress_size, 1 << 10):
                raise DataError(
                    f"{path}: expected arrays that unpack to at most {self.preprocess.max_expansion:,} times their bytes, "
                    f"found {info.filename}; raise preprocess.max_expansion if that is right"
                )
        headers = {}
        for info in infos:
            name = info.filename.removesuffix(".npy")
            with opened(Place(path, name)) as (_, headers[name]):
                pass
        return headers

    def _chosen(self, path: str, members: dict[str, Header]) -> list[str]:
        """Names of the arrays of images."""
        there = ", ".join(f"{name} {header.said}" for name, header in members.items()) or "none"
        if self.settings.images is not None:
            if self.settings.images not in members:
                raise UsageError(
                    f"sources.images: expected an array of {path}, found {self.settings.images!r}; it has {there}"
                )
            return [self.settings.images]
        names = [name for name, header in members.items() if len(header.shape) in (3, 4)]
        splits = [split_in(name) for name in names]
        if not names:
            raise DataError(f"{path}: expected an array of images [N, H, W] or [N, H, W, C], found {there}")
        if len(names) > 1 and (None in splits or len(set(splits)) < len(splits)):
            raise UsageError(f"sources.images: expected the name of one of {', '.join(names)} in {path}, found none")
        return names

    def _labels_name(self, images: str, there: list[str], *, alone: bool) -> str | None:
        wanted = self.settings.labels
        if wanted == "none":
            return None
        if wanted is not None:
            if wanted not in there:
                raise UsageError(f"sources.labels: expected one of {', '.join(there)}, or none, found {wanted!r}")
            return wanted
        names = [*_named_like(images), *(_LABELS_ALONE if alone else ())]
        return next((name for name in names if name in there), None)

    def _labels_beside(self, path: str) -> Place | None:
        """Of an `.npy`, the `.npy` of its labels in the same folder."""
        if self.settings.labels == "none":
            return None
        folder, base = os.path.split(path)
        stem, ending = os.path.splitext(base)
        names = [self.settings.labels] if self.settings.labels else _named_like(stem)
        paths = [os.path.join(folder, f"{name}{ending}") for name in names]
        there = next((beside for beside in paths if files.is_file(beside)), None)
        if self.settings.labels and not there:
            raise UsageError(f"sources.labels: expected an array's name, or none, found nothing at {paths[0]}")
        return Place(there, "") if there else None

    @cached_property
    def _splits(self) -> dict[Place, str | None]:
        return divided(
            {place: split_in(place.name) or split_in(os.path.basename(place.path)) for place in self._arrays}
        )

    def _check(self, place: Place, header: Header) -> None:
        shape, expected = header.shape, "images [N, H, W] or [N, H, W, 1, 3 or 4]"
        one = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
        if one or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
            more = "; one image needs a first axis: image[None]" if one else ""
            raise DataError(f"{place}: expected {expected}, found {header.said}{more}")
        if (header.dtype.kind, header.dtype.itemsize) not in (
            ("u", 1),
            ("u", 2),
            ("b", 1),
        ) and header.dtype.kind != "f":
            raise DataError(f"{place}: expected uint8, bool, uint16 or floats from 0 to 1, found {header.said}")
        if header.fortran:
            raise DataError(
                f"{place}: expected rows first (C order), found columns first; np.ascontiguousarray turns them"
            )
        if not 0 < shape[1] * shape[2] <= self.preprocess.max_pixels:
            raise DataError(
                f"{place}: expected images of 1 to {self.preprocess.max_pixels:,} pixels (preprocess.max_pixels), "
                f"found {header.said}"
            )


def _named_like(images: str) -> list[str]:
    """Names that the labels of images of such a name have: ``y_train`` of ``x_train``."""
    found = [re.sub(f"(?<![A-Za-z]){old}(?![A-Za-z])", new, images) for old, new in _LABELS_BESIDE]
    return [name for name in found if name != images]


def _image(data: bytes, header: Header) -> np.ndarray | ReadError:
    kind, shape = header.dtype.kind, header.shape[1:]
    if kind == "b":
        return (np.frombuffer(data, np.uint8) != 0).astype(np.uint8).reshape(shape) * np.uint8(255)
    values = np.frombuffer(data, header.dtype).reshape(shape)
    if kind == "f":
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 1):  # not a number is neither
            return ReadError(f"expected floats from 0 to 1, found {low:g} to {high:g}")
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    return (values // 257).astype(np.uint8) if header.dtype.itemsize == 2 else values


def _labels(place: Place, *, count: int) -> np.ndarray:
    """One label per image: [N]."""
    with opened(place) as (file, header):
        if header.shape not in ((count,), (count, 1)) or header.dtype.kind not in "biufSU":
            raise DataError(
                f"{place}: expected {count:,} labels of text or numbers, found {header.said}; "
                "name others by sources.labels, or set it to none"
            )
        size = count * header.dtype.itemsize
        data = up_to(file, size)
        if len(data) < size:
            raise wrong_length(place, header, len(data))
        return np.frombuffer(data, header.dtype)
