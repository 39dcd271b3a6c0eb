"""Noise that belongs to an item: whatever the batch, item i of a seed gets the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noise(seed: int, *, first: int, count: int, dim: int) -> NDArray[np.float32]:
    """Draws from N(0, 1) for the items `first` to `first + count - 1`: [count, dim].

    Row i depends on (seed, first + i) alone: these two are the key of Philox, a counter-based generator (Salmon et al.
    2011).
    """
    rows = np.empty((count, dim), np.float32)
    for row, index in zip(rows, range(first, first + count), strict=True):
        key = np.array([seed, index], np.uint64)
        np.random.Generator(np.random.Philox(key=key)).standard_normal(dtype=np.float32, out=row)
    return rows
