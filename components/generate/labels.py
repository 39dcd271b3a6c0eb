"""Which label each image of a set gets, by its index: of a conditional generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

DRAWN = -1  # what the generator takes for a label that an image draws for itself
SHOWN = 20  # labels in an error


def check_labels(wanted: GenerateSection, names: Sequence[str]) -> None:
    """Whether the generator has the labels that are wanted.

    Raises:
        UsageError: It takes none, or a label is none of its own.
    """
    asked = [wanted.label] if wanted.label is not None else []
    if isinstance(wanted.labels, dict):
        asked = list(wanted.labels)
    key = "generate.label" if wanted.label is not None else "generate.labels"
    if not names:
        if asked or wanted.labels:
            found = asked[0] if asked else wanted.labels
            raise UsageError(f"{key}: expected none, as model.conditional is off, found {found}")
        if wanted.label_folders:
            raise UsageError("generate.label_folders: expected a conditional model, found one without labels")
    for label in asked:
        if label not in names:
            shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
            raise UsageError(f"{key}: expected one of {shown}, found {label}")


def labels_of_block(wanted: GenerateSection, names: Sequence[str], *, start: int) -> NDArray[np.int64]:
    """Numbers of the labels of the images `start` to `start + BLOCK`, from 0, or DRAWN: [BLOCK]."""
    indices = np.arange(start, start + BLOCK, dtype=np.int64)
    if wanted.label is not None:
        return np.full(BLOCK, names.index(wanted.label), np.int64)
    if wanted.labels == "balanced":  # any stretch of a set has all labels
        return indices % len(names)
    if wanted.labels:
        order = np.array([names.index(label) for label in wanted.labels], np.int64)
        ends = np.cumsum(list(wanted.labels.values()))
        # Beyond the set, the same again: images there take the place of those that filters leave out.
        return order[np.searchsorted(ends, indices % ends[-1], side="right")]
    return np.full(BLOCK, DRAWN, np.int64)
