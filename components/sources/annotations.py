"""Labels and splits as data sets write them, brought into one spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeVar

SPLIT_WORDS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
Name = TypeVar("Name")


def label_text(value: object) -> str | None:
    """Return a label as text: true and false as in JSON, whole numbers without a point; None for no label.

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
        return value.decode("utf-8", "replace")
    if isinstance(value, str | int | float):
        return str(value).encode("utf-8", "replace").decode()  # JSON and NumPy can hold half of a surrogate pair
    raise ValueError(f"expected a label of text or a number, found {type(value).__name__}")


def split_in(name: str) -> str | None:
    """Return the split that a name mentions first: ``x_train``, ``test-00000-of-00001``."""
    return next((SPLIT_WORDS[word] for word in re.findall("[a-z]+", name.lower()) if word in SPLIT_WORDS), None)


def splits_if_divided(splits: Mapping[Name, str | None]) -> dict[Name, str | None]:
    """Return the splits by name if some names are held out and others are not; else None for every name."""
    held_out = [split for split in splits.values() if split in ("validation", "test")]
    return dict(splits) if 0 < len(held_out) < len(splits) else dict.fromkeys(splits)
