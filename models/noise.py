"""Noise that belongs to an image: it depends on (seed, index) alone, never on batch, order or back end."""

from __future__ import annotations

import numpy as np


def standard_normal(seed: int, *, start: int, count: int, size: int) -> np.ndarray:
    """Draws from N(0, I) for the images `start` to `start + count`: [count, size], float32.

    Philox is a counter-based generator (Salmon et al. 2011): (seed, index) is its key.
    """
    rows = np.empty((count, size), np.float32)
    for row, index in enumerate(range(start, start + count)):
        rows[row] = np.random.Generator(np.random.Philox(key=[seed, index])).standard_normal(size, np.float32)
    return rows
