"""What the names of folders mean: splits, shards, masks; each by itself, whatever the layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from components.sources.annotations import SPLIT_WORDS

# Words that stand beside a split's in the name of a folder, as in `test_set`, `train_images` or `val.zip`.
_BESIDE_SPLIT_WORDS = frozenset({
    "a", "the", "my", "set", "sets", "data", "dataset", "image", "images", "img", "imgs", "pic", "pics", "pictures",
    "photos", "split", "folder", "files", "final", "original", "zip", "tar", "gz", "tgz", "bz", "xz",
})  # fmt: skip
_MASKS = frozenset(
    ("mask", "masks", "segmentation", "segmentations", "annotation", "annotations", "gt", "truth", "ground")
)
_PICTURES = frozenset(
    ("image", "images", "img", "imgs", "jpeg", "jpegs", "picture", "pictures", "photos", "class", "object")
)
SHARD_FILL = 0.8  # of the fullest: shards, other than the last, hold about the same number of images
NAMED = 3  # folders that a sentence names


def split_meant_by(name: str) -> str | None:
    """Return the split that a folder's name means, such as `Testing`, `val2017` or `train_images`; None: it means none."""
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower())
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


def are_pictures_and_masks(names: Iterable[str]) -> bool:
    """Return whether folders are images and their masks, such as `images` and `masks`, rather than classes."""
    words = _words_of(names)
    return bool(_MASKS & words) and not words - _MASKS - _PICTURES


def named(names: Iterable[str]) -> str:
    """Return the first of some names, and how many more there are."""
    names = sorted(names)
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _words_of(names: Iterable[str]) -> set[str]:
    return {word.lower() for name in names for word in re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
