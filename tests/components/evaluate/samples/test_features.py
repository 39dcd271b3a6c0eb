"""A feature space is the same network everywhere, and is identified by a digest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.samples.features import FILTERS, FeatureSpace, classifier_space, features_of, random_space

Array = np.ndarray[Any, Any]


def features(space: FeatureSpace, batches: list[Array]) -> Array:
    """Return features in one space: [N, D]."""
    [values] = features_of([space], batches)
    return values


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, 1), (5, 9, 3), (40, 24, 1), (1, 1, 1)])
def test_images_of_any_size_have_features(
    height: int, width: int, channels: int, noise_images: Callable[..., Any]
) -> None:
    images = noise_images(6, height=height, width=width, channels=channels) / np.float32(255)
    values = features(random_space((height, width, channels)), [images[:4], images[4:]])
    assert values.shape == (6, 2 * sum(FILTERS))
    assert np.isfinite(values).all()


def test_batches_change_nothing(noise_images: Callable[..., Any]) -> None:
    space, images = random_space((8, 8, 1)), noise_images(6) / np.float32(255)
    np.testing.assert_allclose(
        features(space, [images]), features(space, [images[:1], images[1:]]), rtol=1e-5, atol=1e-6
    )


def test_the_network_is_the_same_whenever_it_is_built(noise_images: Callable[..., Any]) -> None:
    first, second = random_space((8, 8, 1)), random_space((8, 8, 1))
    images = noise_images(6) / np.float32(255)
    assert first.digest == second.digest != random_space((8, 8, 3)).digest
    np.testing.assert_array_equal(features(first, [images]), features(second, [images]))


def test_blurred_images_have_other_features_than_sharp_ones(noise_images: Callable[..., Any]) -> None:
    sharp = noise_images(200) / np.float32(255)
    blurred = np.broadcast_to(sharp.mean(axis=(1, 2), keepdims=True), sharp.shape)
    values = features(random_space((8, 8, 1)), [sharp, blurred])
    within = np.linalg.norm(values[:100].mean(axis=0) - values[100:200].mean(axis=0))
    assert np.linalg.norm(values[:200].mean(axis=0) - values[200:].mean(axis=0)) > 2 * within


def test_batches_are_read_once_for_all_spaces(noise_images: Callable[..., Any]) -> None:
    images = noise_images(6) / np.float32(255)
    brightness = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.GlobalAveragePooling2D()])
    spaces = [random_space((8, 8, 1)), classifier_space(brightness)]
    parts = features_of(spaces, iter([images[:4], images[4:]]))
    assert [space.name for space in spaces] == ["random", "classifier"]
    assert [values.shape for values in parts] == [(6, 2 * sum(FILTERS)), (6, 1)]
    np.testing.assert_allclose(parts[1][:, 0], images.mean(axis=(1, 2, 3)), rtol=1e-5)
