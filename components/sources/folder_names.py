"""What the names of folders mean: splits, shards, masks; each by itself, whatever the layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from components.sources.annotations import SPLIT_WORDS

# Words that stand beside a split's in the name of a folder, as in `test_set`, `train_images` or `val.zip`.
_BESIDE_SPLIT_WORDS = frozenset({
    "a", "the", "my", "set", "sets", "data", "dataset", "image", "images", "img", "imgs", "pic", "pics", "pictures",
    "photos", "split", "folder", "files", "final", "original", "jpg", "jpeg", "png", "tif", "tiff", "bmp",
    "webp", "zip", "tar", "gz", "tgz", "bz", "xz",
})  # fmt: skip
_SHORT = {
    "trn": "train",
    "tst": "test",
    "vld": "validation",
    "validierung": "validation",
    "validierungsdaten": "validation",
}
_HOLD_OUT = re.compile(r"\bh[eo]ld ?out\b")
_COMPOUND = re.compile(  # `testset`, `Trainingsdaten`
    r"(train|training|validation|valid|val|test)s?(?:sets?|data|images|imgs|daten|bilder|satz|menge)"
)
_MASKS = frozenset(
    ("mask", "masks", "segmentation", "segmentations", "annotation", "annotations", "gt", "truth", "ground")
)
_PICTURES = frozenset(
    ("image", "images", "img", "imgs", "jpeg", "jpegs", "picture", "pictures", "photos", "class", "object")
)
_PARTS = frozenset(
    (
        "image",
        "images",
        "img",
        "imgs",
        "photos",
        "part",
        "batch",
        "chunk",
        "shard",
        "data",
        "folder",
        "fold",
        "subset",
        "archive",
    )
)
_CLASSES = frozenset(("class", "classes", "label", "labels", "category", "type", "grade", "stage", "level"))
SHARD_FILL = 0.8  # of the fullest: shards, other than the last, hold about the same number of images
NAMED = 3  # folders that a sentence names


def split_meant_by(name: str, *, maybe: bool = False) -> str | None:
    """Return the split that a folder's name means, such as `Testing`, `val2017` or `train_images`; None: it means none.

    Args:
        name: The folder's name.
        maybe: Whether words count, too, that are worth a sentence and are not taken as splits: `tst`, `holdout`, `Testdaten`.
    """
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower())
    if maybe:
        words = _HOLD_OUT.sub("test", " ".join(words)).split()
        words = [match[1] if (match := _COMPOUND.fullmatch(word)) else _SHORT.get(word, word) for word in words]
    splits = [SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS]
    others = [word for word in words if len(word) > 1 and word not in (SPLIT_WORDS.keys() | _BESIDE_SPLIT_WORDS)]
    return splits[0] if len(set(splits)) == 1 and not others else None


def is_evaluation(name: str) -> bool:
    """Return whether a folder's name says that its images are for an evaluation, such as `eval`."""
    return bool(re.search("(?<![a-z])eval", name.lower()))


def are_shards(fill: Mapping[str, int]) -> bool:
    """Return whether folders are shards of storage: padded consecutive numbers, decimal or hexadecimal, about equally full.

    Args:
        fill: Number of images by the folder's name.
    """
    names = sorted(fill)
    width = len(names[0]) if names else 0
    if len(names) < 2 or width < 2 or any(len(name) != width for name in names):
        return False
    for base, digits in ((10, r"[0-9]+"), (16, r"[0-9a-f]+|[0-9A-F]+")):
        if all(re.fullmatch(digits, name) for name in names):
            numbers = [int(name, base) for name in names]
            padded = names[0].startswith("0") and (base == 10 or numbers[0] == 0)
            if padded and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
                *others, last = (fill[name] for name in names)
                return min(others) >= SHARD_FILL * max(others) and last * SHARD_FILL <= max(others)
    return False


def are_parts(names: Iterable[str]) -> bool:
    """Return whether folders are parts of one download by their names, such as `images_001` and `images_002`.

    They differ in their last, consecutive numbers alone, and a word before these says that they are parts.
    """
    matches = [re.fullmatch(r"(.*?)(\d+)\D*", name) for name in names]
    starts = {match[1] for match in matches if match}
    numbers = sorted(int(match[2]) for match in matches if match)
    if len(numbers) < 2 or len(numbers) < len(matches) or len(starts) != 1:
        return False
    words = words_in("".join(starts))
    return (
        bool(words & _PARTS) and not words & _CLASSES and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    )


def are_pictures_and_masks(names: Iterable[str]) -> bool:
    """Return whether folders are images and their masks, such as `images` and `masks`, rather than classes."""
    words = set().union(*map(words_in, names))
    return bool(_MASKS & words) and not words - _MASKS - _PICTURES


def named(names: Iterable[str]) -> str:
    """Return the first of some names, and how many more there are."""
    names = sorted(names)
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def words_in(name: str) -> set[str]:
    """Return the words of a name in small letters: ``jpeg`` and ``images`` for ``JPEGImages``."""
    return {word.lower() for word in re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def escaped(name: str) -> str:
    """Write a name as a pattern that matches it alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def series_of_splits(names: Iterable[str]) -> dict[str, str]:
    """Return the splits of folders beside each other that differ in a split's word alone; nothing if there are several series.

    `seg_train` and `seg_test` are splits, and `train_cat`, `test_cat` and `train_dog` may be anything.
    """
    names = list(names)
    for base in names:  # `rps` beside `rps-test-set`
        rest = {name: split_meant_by(name[len(base) :]) for name in names if name != base and name.startswith(base)}
        if len(rest) == len(names) - 1 > 0 and all(split in ("validation", "test") for split in rest.values()):
            return {base: "train"} | {name: split for name, split in rest.items() if split}
    series: dict[str, dict[str, str]] = {}
    for name in names:
        words = [
            word
            for word in re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower())
            if word in SPLIT_WORDS
        ]
        if len(words) == 1:
            place = name.lower().find(words[0])
            series.setdefault(f"{name[:place]}*{name[place + len(words[0]) :]}", {})[name] = SPLIT_WORDS[words[0]]
    if len(series) != 1:
        return {}
    [splits] = series.values()
    return splits if {"train"} < set(splits.values()) else {}
