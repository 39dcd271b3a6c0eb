"""Degraded images are files again, and each step is worse than the one before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.samples.degradations import (
    OF_IMAGES,
    OF_SETS,
    Degradation,
    degraded,
    order_of_kinds,
    rows_left,
)

Array = np.ndarray[Any, Any]


def pictures(count: int = 20, channels: int = 1) -> Array:
    """Return images of soft shapes, 16 × 16, with 8 bits per value."""
    random = np.random.default_rng(0)
    coarse = random.random((count, 4, 4, channels)).repeat(4, axis=1).repeat(4, axis=2)
    return np.rint(coarse * 255).astype(np.float32) / 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("degradation", OF_IMAGES, ids=lambda degradation: degradation.kind)
def test_each_step_is_farther_from_the_original(degradation: Degradation, channels: int) -> None:
    images = pictures(channels=channels)
    errors = []
    for step in degradation.steps:
        [worse] = degraded([images], degradation.kind, step)
        assert worse.shape == images.shape
        assert worse.dtype == np.float32
        np.testing.assert_allclose(worse * 255, np.rint(worse * 255), atol=1e-4)
        errors.append(np.square(worse - images).mean())
    assert errors[0] > 0
    assert errors == sorted(errors)


def test_the_same_noise_comes_every_time() -> None:
    images = pictures()
    first, second = (next(iter(degraded([images], "noise", 13.0))) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("degradation", OF_SETS, ids=lambda degradation: degradation.kind)
def test_a_set_keeps_its_size_and_fewer_different_images(degradation: Degradation) -> None:
    order = np.arange(100)
    different = [len(set(rows_left(step, order=order).tolist())) for step in degradation.steps]
    assert all(len(rows_left(step, order=order)) == 100 for step in degradation.steps)
    assert different == sorted(different, reverse=True)
    assert different[-1] >= 1


def test_kinds_are_labels_or_else_lie_along_the_direction_of_most_difference() -> None:
    labels = np.array([2, 0, 1, 0, 2])
    features = np.arange(5, dtype=np.float32)[:, None]
    assert labels[order_of_kinds(features, labels)].tolist() == [0, 0, 1, 2, 2]
    brightness = np.array([0.9, 0.1, 0.5, 0.3, 0.7], np.float32)
    unlabelled = np.full(5, -1)
    by_brightness = order_of_kinds(brightness[:, None] * np.ones(4, np.float32), unlabelled)
    assert brightness[by_brightness].tolist() in (sorted(brightness), sorted(brightness, reverse=True))
