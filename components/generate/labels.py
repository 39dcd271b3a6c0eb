"""The label of each image of a set, by its index, for a conditional generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.artifacts.generator import DRAWN, Description
from schemas.errors import UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

SHOWN = 20  # labels in an error


def check_labels(section: GenerateSection, description: Description) -> None:
    """Check that the generator has the labels of the recipe.

    Raises:
        UsageError: The generator takes no labels, or not this one, or no training image has it.
    """
    key = "generate.label" if section.label is not None else "generate.labels"
    labels = [section.label] if section.label is not None else []
    if isinstance(section.labels, dict):
        labels = list(section.labels)
    if not description.labels:
        if labels or section.labels:
            first = labels[0] if labels else section.labels
            raise UsageError(f"{key}: expected none, as model.conditional is off, found {first}")
        if section.label_folders:
            raise UsageError("generate.label_folders: expected a conditional model, found one without labels")
        return
    for label in labels:
        if label not in description.trained_labels:
            raise UsageError(
                f"{key}: expected one of {shown_labels(description)}, found {found_label(label, description)}"
            )


def shown_labels(description: Description) -> str:
    """Return the labels that a recipe may ask for, as an error lists them."""
    return _first(list(description.trained_labels))


def found_label(label: str, description: Description) -> str:
    """Return a label that is refused, as an error names it: with the reason, if the generator has it."""
    return f"{label}, which no training image has" if label in description.labels else label


def describe_labels(section: GenerateSection, description: Description) -> str:
    """Return which labels the images of a set get, for the screen."""
    if section.labels == "balanced":
        missing = [label for label in description.labels if label not in description.trained_labels]
        if missing:
            return f"balanced, without {_first(missing)}: no training image has {'it' if len(missing) == 1 else 'them'}"
    return str(section.label or section.labels or "each by its share in training")


def labels_of_block(section: GenerateSection, trained_labels: Mapping[str, int], *, start: int) -> NDArray[np.int64]:
    """Return the numbers of the labels of the images `start` to `start + BLOCK`, from 0, or DRAWN: [BLOCK].

    Args:
        section: The recipe's `generate` section.
        trained_labels: Of the generator: `Description.trained_labels`.
        start: Index of the block's first image.
    """
    indices = np.arange(start, start + BLOCK, dtype=np.int64)
    if section.label is not None:
        return np.full(BLOCK, trained_labels[section.label], np.int64)
    if section.labels == "balanced":  # in turn, so that any part of a set has all labels
        in_turn = np.array(list(trained_labels.values()), np.int64)
        return np.asarray(in_turn[indices % len(in_turn)])
    if section.labels:
        numbers = np.array([trained_labels[label] for label in section.labels], np.int64)
        ends = np.cumsum(list(section.labels.values()))
        # The pattern repeats beyond the set: images from there replace those that filters drop.
        places = np.searchsorted(ends, indices % ends[-1], side="right")
        return np.asarray(numbers[places])
    return np.full(BLOCK, DRAWN, np.int64)


def _first(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
