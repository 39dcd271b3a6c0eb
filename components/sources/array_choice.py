"""Which arrays of NumPy's files are images, and which are their labels."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Sequence

from components.sources import files
from components.sources.annotations import split_word_in
from components.sources.image_set import TABLE, labels_in_set
from components.sources.npy import ArrayPlace, errors_of, open_array
from components.sources.raw_array import ArrayHeader
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings

# How the name of an array of images becomes the name of its labels.
_LABEL_NAMES = (
    ("images", "labels"),
    ("image", "label"),
    ("imgs", "labels"),
    ("img", "label"),
    ("x", "y"),
    ("X", "y"),
    ("X", "Y"),
    ("images", "targets"),
    ("imgs", "targets"),
    ("data", "labels"),
    ("data", "targets"),
    ("inputs", "targets"),
)
_LABEL_NAMES_IF_ALONE = ("labels", "label", "y", "Y", "targets", "target", "classes", "class")
_ENDINGS = (".npy", ".npz")
_CHANNELS = (1, 3, 4)


def channels_first(shape: Sequence[int]) -> bool:
    """Return whether an array's shape is [N, C, H, W], as PyTorch has it, rather than [N, H, W, C]."""
    return len(shape) == 4 and shape[1] in _CHANNELS and shape[3] not in _CHANNELS


def could_be_images(header: ArrayHeader) -> bool:
    """Return whether an array has the number of dimensions of images."""
    return len(header.shape) in (3, 4)


def could_be_labels(header: ArrayHeader, *, count: int) -> bool:
    """Return whether an array has a label, or a row that marks one of several classes, for each image."""
    one_hot = len(header.shape) == 2 and header.dtype.kind in "biuf"
    single = len(header.shape) == 1 or header.shape[1:] == (1,)
    return header.shape[:1] == (count,) and (single or one_hot) and header.dtype.kind in "biufSU"


def headers_in(path: str, preprocess: PreprocessSettings) -> dict[str, ArrayHeader]:
    """Read the header of every array of an `.npz`, or of the only one of an `.npy`, whose name is empty.

    Raises:
        DataError: It is no such file, or would unpack to more than `preprocess` allows.
    """
    if not path.lower().endswith(".npz"):
        with open_array(ArrayPlace(path, "")) as array:
            return {"": array.header}
    with files.open_file(path) as raw, errors_of(path), zipfile.ZipFile(raw) as archive:
        members = [info for name, info in sorted(archive.NameToInfo.items()) if name.endswith(".npy")]
    if len(members) > preprocess.max_members:
        raise DataError(f"{path}: expected at most {preprocess.max_members:,} arrays, found {len(members):,}")
    for info in members:
        if info.file_size > preprocess.max_expansion * max(info.compress_size, 1 << 10):
            raise DataError(
                f"{path}: expected arrays that unpack to at most {preprocess.max_expansion:,} times their bytes, "
                f"found {info.filename}; raise preprocess.max_expansion if that is right"
            )
    headers = {}
    for info in members:
        name = info.filename.removesuffix(".npy")
        with open_array(ArrayPlace(path, name)) as array:
            headers[name] = array.header
    return headers


def image_names(path: str, headers: dict[str, ArrayHeader], setting: str | None) -> list[str]:
    """Choose the arrays of images among those of a file; none if no array has their shape.

    Raises:
        UsageError: The setting is wrong, or has to say which one.
    """
    if "" in headers:
        return [""] if could_be_images(headers[""]) else []
    if setting is not None:
        return [setting] if setting in headers else []
    names = [name for name, header in headers.items() if could_be_images(header)]
    words = [split_word_in(name) for name in names]
    if len(names) > 1 and (None in words or len(set(words)) < len(words)):
        raise UsageError(
            f"sources.images: expected the name of one of {', '.join(names)} in {path}, found none (make recipe: IMAGE_COLUMN=…)"
        )
    return names


def contents_of(headers: dict[str, ArrayHeader]) -> str:
    """Return the names and shapes of a file's arrays, for a message."""
    return ", ".join(f"{name} {header.text}".strip() for name, header in headers.items()) or "none"


def labels_of(
    place: ArrayPlace, headers: dict[str, ArrayHeader], setting: str | None, *, alone: bool, alone_in_folder: bool
) -> ArrayPlace | None:
    """Choose the array of labels for an array of images; None if there is none.

    Args:
        place: The array of images.
        headers: All arrays of its file.
        setting: The array's name, or none; None looks for the usual names, in the file and in those beside it.
        alone: Whether its file has no other array of images.
        alone_in_folder: Whether its folder has no other one.

    Raises:
        UsageError: There is no array of the name that the setting says.
    """
    if setting == "none":
        return None
    if place.name:
        if setting is not None:
            if setting not in headers:
                raise UsageError(f"sources.labels: expected one of {', '.join(headers)}, or none, found {setting!r}")
            return ArrayPlace(place.path, setting)
        candidates = [*_label_names_of(place.name), *(_LABEL_NAMES_IF_ALONE if alone else ())]
        if inside := next((name for name in candidates if name in headers), None):
            return ArrayPlace(place.path, inside)
        if alone and (positional := _positional_labels(place.name, headers)):
            return ArrayPlace(place.path, positional)
    return _labels_beside(place, setting, count=headers[place.name].count, alone=alone and alone_in_folder)


def is_guess(place: ArrayPlace, labels: ArrayPlace) -> bool:
    """Return whether an array is labels by its place alone, and not by a name that goes with that of the images."""
    if labels.path == place.path:
        return labels.name.startswith("arr_")
    stems = [os.path.splitext(os.path.basename(each.path))[0] for each in (place, labels)]
    return os.path.basename(labels.path) != TABLE and stems[1] not in _label_names_of(stems[0])


def _positional_labels(image_name: str, headers: dict[str, ArrayHeader]) -> str | None:
    """Return the other array of `np.savez(file, images, labels)`, which names them arr_0 and arr_1."""
    if not all(re.fullmatch(r"arr_\d+", name) for name in headers):
        return None
    count = headers[image_name].count
    others = [name for name, header in headers.items() if name != image_name and could_be_labels(header, count=count)]
    return others[0] if len(others) == 1 else None


def _labels_beside(place: ArrayPlace, setting: str | None, *, count: int, alone: bool) -> ArrayPlace | None:
    """Return the place of labels in another file of the same folder."""
    folder, base = os.path.split(place.path)
    stem, ending = os.path.splitext(base)
    sure = [setting] if setting else _label_names_of(stem)
    names = [*sure, *(_LABEL_NAMES_IF_ALONE if alone and not setting else ())]
    endings = [ending, *(other for other in _ENDINGS if other != ending.lower())]
    paths = [os.path.join(folder, f"{name}{end}") for name in names for end in endings]
    for path in filter(files.is_file, paths):
        headers = headers_in(path, PreprocessSettings())
        if "" in headers:
            if os.path.splitext(os.path.basename(path))[0] in sure or could_be_labels(headers[""], count=count):
                return ArrayPlace(path, "")
            continue
        names_inside = [name for name, header in headers.items() if could_be_labels(header, count=count)]
        if len(names_inside) == 1:
            return ArrayPlace(path, names_inside[0])
    if setting:
        raise UsageError(f"sources.labels: expected an array's name, or none, found nothing at {paths[0]}")
    table = os.path.join(folder, TABLE)
    if not place.name and files.is_file(table) and any(labels_in_set(table, base)):
        return ArrayPlace(table, base)
    return None


def _label_names_of(image_name: str) -> list[str]:
    """Return the names that labels of such images usually have: ``y_train`` for ``x_train``."""
    names = [re.sub(f"(?<![A-Za-z]){old}(?![A-Za-z])", new, image_name) for old, new in _LABEL_NAMES]
    return [name for name in dict.fromkeys(names) if name != image_name]


def count_in_folder(places: Iterable[ArrayPlace], place: ArrayPlace) -> int:
    """Return how many arrays are in the folder of one of them."""
    folder = os.path.dirname(place.path)
    return sum(os.path.dirname(other.path) == folder for other in places)
