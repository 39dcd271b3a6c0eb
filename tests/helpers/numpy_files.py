"""NumPy's files, written and opened as a source. No test is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.sources import Source, open_source
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ArraySource

Pixels = np.ndarray[Any, Any]
IMAGES = np.arange(6 * 5 * 7, dtype=np.uint8).reshape(6, 5, 7)
LABELS = np.array([3, 0, 9, 3, 255, 1], np.uint8)
endings = pytest.mark.parametrize("ending", [".npy", ".npz"])


def source_at(path: Path | str, *, limits: dict[str, int] | None = None, **settings: Any) -> Source:
    """Return the source that a recipe's entry of kind array opens."""
    entry = ArraySource.model_validate({"kind": "array", "path": str(path), **settings})
    return open_source(entry, PreprocessSettings.model_validate(limits or {}))


def save(path: Path, values: Pixels, **others: Pixels) -> Path:
    """Write an array as its name says; in an .npz, named images, with others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        np.savez_compressed(path, images=values, **others)
    return path
