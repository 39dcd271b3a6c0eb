"""Fixtures that the tests of the models share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import describe

from schemas.artifacts.records import Statistics

# Mean and deviation, on the scale 0 to 1; `standardise` takes any, these are Fashion-MNIST's.
CONSTANTS = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5), "standardise": (0.2860, 0.3530)}


@pytest.fixture(scope="session")
def make_statistics() -> Callable[..., Statistics]:
    """Describe a data set: ``make_statistics(8, 12, 3, stored=(10, 14), normalise="symmetric", labels=4)``."""

    def make(
        height: int,
        width: int,
        channels: int,
        *,
        stored: tuple[int, int] | None = None,
        normalise: Any = "unit",
        labels: int = 0,
    ) -> Statistics:
        mean, deviation = CONSTANTS[normalise]
        stored_height, stored_width = stored or (height, width)
        names = [f"label {number}" for number in range(labels)]
        return describe(
            height,
            width,
            channels,
            stored_height=stored_height,
            stored_width=stored_width,
            normalise=normalise,
            mean=[mean] * channels,
            deviation=[deviation] * channels,
            labels=names,
            images={"train": labels, "validation": 0, "test": 0},
            images_per_label={"train": dict.fromkeys(names, 1)},
        )

    return make


@pytest.fixture(scope="session")
def make_pixels() -> Callable[..., np.ndarray[Any, Any]]:
    """Make stored images of random pixels: ``make_pixels(statistics, 16)`` is uint8 [16, H', W', C]."""

    def make(statistics: Statistics, count: int, *, seed: int = 0) -> np.ndarray[Any, Any]:
        shape = (count, statistics.stored_height, statistics.stored_width, statistics.channels)
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return make
