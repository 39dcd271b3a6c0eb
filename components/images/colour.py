"""Tells grey images from coloured ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GREY_TOLERANCE = 8  # of 255 levels: what JPEG's chroma adds to a grey photograph


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Return whether an image [H, W, C] has no colour: its channels nowhere differ by more than 8 levels."""
    for step in (16, 1):  # most images with colour show it at once
        first, *others = (pixels[::step, ::step, channel].astype(np.int16) for channel in range(pixels.shape[2]))
        if any(np.abs(first - other).max() > GREY_TOLERANCE for other in others):
            return False
    return True
