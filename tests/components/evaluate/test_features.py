"""A feature space is the same network everywhere, and says which one it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from components.evaluate.features import FILTERS, random_space


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, 1), (5, 9, 3), (40, 24, 1), (1, 1, 1)])
def test_images_of_any_size_have_features(
    height: int, width: int, channels: int, noise_images: Callable[..., Any]
) -> None:
    images = noise_images(6, height=height, width=width, channels=channels) / np.float32(255)
    found = random_space((height, width, channels)).features([images[:4], images[4:]])
    assert found.shape == (6, 2 * sum(FILTERS))
    assert np.isfinite(found).all()


def test_batches_change_nothing(noise_images: Callable[..., Any]) -> None:
    space, images = random_space((8, 8, 1)), noise_images(6) / np.float32(255)
    np.testing.assert_allclose(space.features([images]), space.features([images[:1], images[1:]]), rtol=1e-5, atol=1e-6)


def test_the_network_is_the_same_whenever_it_is_made(noise_images: Callable[..., Any]) -> None:
    first, second = random_space((8, 8, 1)), random_space((8, 8, 1))
    images = noise_images(6) / np.float32(255)
    assert first.digest == second.digest != random_space((8, 8, 3)).digest
    np.testing.assert_array_equal(first.features([images]), second.features([images]))


def test_a_blurred_image_lies_elsewhere_than_a_sharp_one(noise_images: Callable[..., Any]) -> None:
    sharp = noise_images(200) / np.float32(255)
    blurred = np.broadcast_to(sharp.mean(axis=(1, 2), keepdims=True), sharp.shape)
    found = random_space((8, 8, 1)).features([sharp, blurred])
    within = np.linalg.norm(found[:100].mean(axis=0) - found[100:200].mean(axis=0))
    assert np.linalg.norm(found[:200].mean(axis=0) - found[200:].mean(axis=0)) > 2 * within
