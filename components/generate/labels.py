"""The label of each image of a set, by its index, for a conditional generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.artifacts.generator import DRAWN
from schemas.errors import UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

SHOWN = 20  # labels in an error


def check_labels(section: GenerateSection, names: Sequence[str]) -> None:
    """Check that the generator has the labels of the recipe.

    Raises:
        UsageError: The generator takes no labels, or not this one.
    """
    key = "generate.label" if section.label is not None else "generate.labels"
    labels = [section.label] if section.label is not None else []
    if isinstance(section.labels, dict):
        labels = list(section.labels)
    if not names:
        if labels or section.labels:
            first = labels[0] if labels else section.labels
            raise UsageError(f"{key}: expected none, as model.conditional is off, found {first}")
        if section.label_folders:
            raise UsageError("generate.label_folders: expected a conditional model, found one without labels")
    for label in labels:
        if label not in names:
            shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
            raise UsageError(f"{key}: expected one of {shown}, found {label}")


def labels_of_block(section: GenerateSection, names: Sequence[str], *, start: int) -> NDArray[np.int64]:
    """Return the numbers of the labels of the images `start` to `start + BLOCK`, from 0, or DRAWN: [BLOCK]."""
    indices = np.arange(start, start + BLOCK, dtype=np.int64)
    if section.label is not None:
        return np.full(BLOCK, names.index(section.label), np.int64)
    if section.labels == "balanced":  # in turn, so that any part of a set has all labels
        return indices % len(names)
    if section.labels:
        numbers = np.array([names.index(label) for label in section.labels], np.int64)
        ends = np.cumsum(list(section.labels.values()))
        # The pattern repeats beyond the set: images from there replace those that filters drop.
        places = np.searchsorted(ends, indices % ends[-1], side="right")
        return np.asarray(numbers[places])
    return np.full(BLOCK, DRAWN, np.int64)
