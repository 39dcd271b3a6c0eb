"""Labels and splits as data sets write them, brought into one spelling."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TypeVar

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",  # but see `splits_of_words`
    "evaluation": "test",
}
EVALUATION_WORDS = frozenset(("eval", "evaluation"))
_MNIST_TEST = re.compile(r"(?<![a-z0-9])t10k(?![a-z0-9])")  # MNIST's name for its 10,000 test images
_WHOLE_FLOAT = re.compile(r"([+-]?\d+)(\.0*)?")
Name = TypeVar("Name")


def label_text(value: object) -> str | None:
    """Return a label as text: true and false as in JSON, whole numbers without a point; None for no label.

    Text is without spaces around it, and composed (NFC): `é` is one character, whatever system wrote it.

    Raises:
        ValueError: It is neither text nor a number.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str | int | float):
        text = str(value).encode("utf-8", "replace").decode()  # JSON and NumPy can hold half of a surrogate pair
        return unicodedata.normalize("NFC", text.strip()) or None
    raise ValueError(f"expected a label of text or a number, found {type(value).__name__}")


def whole_number(text: str) -> str | None:
    """Return a whole number without its point, ``0`` for ``0.0``; None for other text.

    Where a value is missing, pandas makes all numbers of a column floats.
    """
    match = _WHOLE_FLOAT.fullmatch(text.strip())
    return match[1] if match else None


def split_in(name: str) -> str | None:
    """Return the split that a name mentions first: ``x_train``, ``test-00000-of-00001``, ``t10k-images``."""
    word = split_word_in(name)
    return SPLIT_WORDS[word] if word else None


def split_word_in(name: str) -> str | None:
    """Return the first word of `SPLIT_WORDS` in a name: ``train`` for ``x_train`` and ``TrainImages``, None for ``latest``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    words = _MNIST_TEST.sub("test", words)
    return next((word for word in re.findall("[a-z]+", words) if word in SPLIT_WORDS), None)


def split_word_of_path(path: str) -> str | None:
    """Return the split word in a file's name or, if it has none, in the nearest of its folders that has one."""
    return next((word for part in reversed(path.split("/")) if (word := split_word_in(part))), None)


def splits_of_words(words: Iterable[str]) -> dict[str, str]:
    """Return the split that each of a source's words stands for.

    `eval` and `evaluation` are test images, on which a model is judged. A source that has test images besides, and no
    validation images, means its validation images by these words.

    Args:
        words: All words of `SPLIT_WORDS` that the source uses.
    """
    splits = {word: SPLIT_WORDS[word] for word in words}
    others = {split for word, split in splits.items() if word not in EVALUATION_WORDS}
    if "test" in others and "validation" not in others:
        splits.update(dict.fromkeys(EVALUATION_WORDS & splits.keys(), "validation"))
    return splits


def splits_by_word(words: Mapping[Name, str | None]) -> dict[Name, str | None]:
    """Return the splits that words stand for, if they divide the names; else None for every name."""
    splits = splits_of_words({word for word in words.values() if word})
    return splits_if_divided({name: splits[word] if word else None for name, word in words.items()})


def splits_if_divided(splits: Mapping[Name, str | None]) -> dict[Name, str | None]:
    """Return the splits by name if some names are held out and others are not; else None for every name."""
    held_out = [split for split in splits.values() if split in ("validation", "test")]
    return dict(splits) if 0 < len(held_out) < len(splits) else dict.fromkeys(splits)


def remark_on_evaluation(words: Iterable[str], *, other: str) -> list[str]:
    """Return a sentence on how `eval` was understood, if a source uses the word.

    Args:
        words: All words of `SPLIT_WORDS` that the source uses.
        other: How to say the other reading.
    """
    splits = splits_of_words(words)
    return [
        f"`{word}` was taken as the {splits[word]} split; {other}." for word in sorted(EVALUATION_WORDS & splits.keys())
    ]
