"""IDX files, opened as a source. No test is here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.sources import Source, open_source
from schemas.recipe.sources import IdxSource

Array = np.ndarray[Any, Any]
WriteIdx = Callable[[Path, Array], Path]
IMAGES = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = np.array([3, 0, 9, 3, 255, 1], np.uint8)
endings = pytest.mark.parametrize("ending", ["", ".gz"], ids=["plain", "gzipped"])


def idx(path: Path | str | None) -> Source:
    """Return the source that a recipe's entry of kind idx opens."""
    return open_source(IdxSource(kind="idx", path=None if path is None else str(path)))
