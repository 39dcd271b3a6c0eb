"""Pixels as image files. Loads OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Run lengths find what there is to find in smooth images, as fast as any other way (docs/generate.md).
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]  # above 100: lossless
_PARAMETERS: dict[str, list[int]] = {"png": _PNG, "webp": _WEBP}


def encode(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """Pixels [H, W, 1 or 3], uint8, as a PNG or lossless WebP file."""
    blue_first: Any = pixels if pixels.shape[2] == 1 else pixels[:, :, ::-1]
    done, data = cv2.imencode(f".{suffix}", blue_first, _PARAMETERS[suffix])
    if not done:
        raise ValueError(f"OpenCV could not encode {pixels.shape} pixels as {suffix}")
    return bytes(data)
