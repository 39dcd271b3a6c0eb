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


def uniform(seed: int, *, start: int, count: int) -> np.ndarray:
    """Draws from [0, 1), one for each of the images `start` to `start + count`: [count], float32."""
    # Another part of an image's stream than the others.
    found = [
        np.random.Generator(np.random.Philox(key=[seed, index], counter=[0, 0, 0, 2])).random(dtype=np.float32)
        for index in range(start, start + count)
    ]
    return np.array(found, np.float32)


def binarised(pixels: np.ndarray, *, seed: int, start: int) -> np.ndarray:
    """Images whose pixels are 0 or 255, drawn with their brightness as probability of 255: [count, H, W, C], uint8.

    Dynamic binarisation (Burda et al. 2016, section 5.1) whose draws are the images' own, as those of `standard_normal` are.

    Args:
        pixels: uint8, of the images from the number `start` on.
        seed: With an image's number it decides what is drawn of it.
        start: Number of the first image.
    """
    found = np.empty(pixels.shape, np.uint8)
    for row, image in enumerate(pixels):
        # Another part of the stream than the codes' noise.
        uniform = np.random.Generator(np.random.Philox(key=[seed, start + row], counter=[0, 0, 0, 1])).random(
            image.shape
        )
        found[row] = np.where(uniform < image / 255.0, 255, 0)
    return found
