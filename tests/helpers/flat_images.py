"""Images of one colour each, and their features in one space. No test is here."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.evaluate.samples.features import FeatureSpace, features_of

Array = np.ndarray[Any, Any]


def flat(*colours: tuple[int, ...]) -> Array:
    """Return an image of each colour (pixels 0 to 255): [N, 8, 8, C], scale 0 to 1."""
    pixels = np.array(colours, np.float32)[:, None, None, :]
    return np.broadcast_to(pixels / np.float32(255), (len(colours), 8, 8, pixels.shape[3]))


def features(space: FeatureSpace, images: Array) -> Array:
    """Return features in one space: [N, D]."""
    [values] = features_of([space], [images])
    return values
