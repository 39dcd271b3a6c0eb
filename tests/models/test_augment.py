"""Training images are changed as the settings say, and depend on nothing but seed, epoch and image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.tensors import to_numpy
from scipy.ndimage import map_coordinates

from models.augment import DRAWS, Augment
from models.build import build_vae
from schemas.artifacts.records import Statistics
from schemas.recipe.augment import AugmentSection
from schemas.recipe.model import BernoulliLoss, DenseModel, GaussianLoss, LossSettings

Array = np.ndarray[Any, Any]
STEPS = 5  # per epoch
EVERYTHING = {"flip": True, "shift": 0.2, "zoom": 0.2, "rotate": 20.0, "brightness": 0.4}


def pixels(count: int = 64, height: int = 9, width: int = 12, channels: int = 3) -> Array:
    """Return random images."""
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def changed(images: Array, *, epoch: int = 0, seed: int = 3, **section: Any) -> Array:
    """Return changed images, those of an epoch's second step."""
    augment = Augment(AugmentSection(**section), seed=seed, steps=STEPS)
    return to_numpy(augment(images, stored=images, step=np.int64(STEPS * epoch + 1)))


def draws_of(images: Array, *, epoch: int = 0, seed: int = 3) -> dict[str, Array]:
    """Return the random numbers of images in an epoch."""
    draws = Augment(AugmentSection(), seed=seed, steps=STEPS).draws(images, epoch=np.int64(epoch))
    return {name: to_numpy(values) for name, values in draws.items()}


def test_an_image_is_changed_the_same_in_any_batch_at_any_place_and_step_of_an_epoch() -> None:
    images = pixels()
    together = changed(images, **EVERYTHING)
    np.testing.assert_array_equal(changed(images[::-1], **EVERYTHING)[::-1], together)
    np.testing.assert_array_equal(changed(images[40:41], **EVERYTHING)[0], together[40])
    augment = Augment(AugmentSection(**EVERYTHING), seed=3, steps=STEPS)
    last = to_numpy(augment(images, stored=images, step=np.int64(STEPS - 1)))
    np.testing.assert_array_equal(last, together)


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 4}], ids=str)
def test_another_epoch_or_seed_changes_every_image_otherwise(other: dict[str, int]) -> None:
    images = pixels()
    before, after = changed(images, **EVERYTHING), changed(images, **other, **EVERYTHING)
    assert all((one != two).any() for one, two in zip(before, after, strict=True))


def test_draws_are_even_and_tell_nothing_of_each_other_or_of_the_next_epochs() -> None:
    images = pixels(4000, 4, 4, 1)
    values = np.stack([*draws_of(images).values(), *draws_of(images, epoch=1).values()])
    assert list(draws_of(images[:1])) == list(DRAWS)
    assert ((values >= 0) & (values < 1)).all()
    histogram = np.stack([np.histogram(row, bins=8, range=(0, 1))[0] for row in values]) / len(images)
    np.testing.assert_allclose(histogram, 1 / 8, atol=0.03)
    np.testing.assert_allclose(np.corrcoef(values), np.eye(len(values)), atol=0.08)


def test_images_that_differ_in_one_pixel_have_draws_of_their_own() -> None:
    images = np.repeat(pixels(1), 109, axis=0)
    for place in range(1, 109):
        images[place].reshape(-1)[3 * place - 2] ^= 1
    assert len(np.unique(draws_of(images)["zoom"])) == len(images)


def test_flip_mirrors_about_half_of_the_images_and_nothing_else() -> None:
    images = pixels()
    flipped = changed(images, flip=True)
    mirrored = [(result == image[:, ::-1]).all() for image, result in zip(images, flipped, strict=True)]
    same = [(result == image).all() for image, result in zip(images, flipped, strict=True)]
    assert sum(mirrored) + sum(same) == len(images)
    assert 20 <= sum(mirrored) <= 44


def test_a_shift_is_by_whole_pixels_and_the_border_is_mirrored() -> None:
    images = pixels(height=9, width=12)
    most = (2, 2)  # of 9 and 12 pixels, a share of 0.2
    offsets = set()
    for image, result in zip(images, changed(images, shift=0.2), strict=True):
        padded = np.pad(image, ((most[0],) * 2, (most[1],) * 2, (0, 0)), mode="reflect")
        windows = {
            (top, left): padded[top : top + 9, left : left + 12]
            for top in range(2 * most[0] + 1)
            for left in range(2 * most[1] + 1)
        }
        places = [place for place, window in windows.items() if (window == result).all()]
        assert len(places) == 1
        offsets |= set(places)
    assert {top for top, _ in offsets} == {left for _, left in offsets} == set(range(5))


@pytest.mark.parametrize("channels", [1, 3])
def test_zoom_turn_shift_and_flip_are_one_bilinear_map(channels: int) -> None:
    images = pixels(24, channels=channels)
    draws = draws_of(images)
    result = changed(images, flip=True, shift=0.2, zoom=0.3, rotate=30.0)
    rows, columns = np.meshgrid(np.arange(9) - 4.0, np.arange(12) - 5.5, indexing="ij")
    for place, image in enumerate(images):
        draw = {name: 2.0 * float(values[place]) - 1.0 for name, values in draws.items()}
        scale, angle = 1.3 ** -draw["zoom"], math.radians(30.0) * draw["rotate"]
        side = -1.0 if draw["flip"] < 0 else 1.0
        down, right = (math.floor(float(draws[name][place]) * 5) - 2 for name in ("rows", "columns"))
        places = [
            scale * (math.cos(angle) * rows - math.sin(angle) * columns) + 4.0 - down,
            side * scale * (math.sin(angle) * rows + math.cos(angle) * columns) + 5.5 - right,
        ]
        for channel in range(channels):
            expected = map_coordinates(image[..., channel].astype(np.float64), places, order=1, mode="mirror")
            np.testing.assert_allclose(result[place, ..., channel], expected, atol=0.51)  # it is rounded


def test_brightness_is_one_factor_per_image_within_its_limits() -> None:
    images = pixels() // 2
    factors = changed(images, brightness=0.4).sum(axis=(1, 2, 3)) / images.sum(axis=(1, 2, 3))
    assert (factors > 0.59).all()
    assert (factors < 1.41).all()
    assert factors.min() < 0.7 < 1.3 < factors.max()


@pytest.mark.parametrize("channels", [1, 3])
def test_values_stay_those_that_a_stored_image_can_have(channels: int) -> None:
    result = changed(pixels(channels=channels), **EVERYTHING)
    np.testing.assert_array_equal(result, np.clip(np.round(result), 0, 255))
    assert (result == 255).any()


def test_without_settings_nothing_changes() -> None:
    assert not AugmentSection().on
    np.testing.assert_array_equal(changed(pixels()), pixels())


@pytest.mark.parametrize(
    "loss",
    [
        GaussianLoss(likelihood="gaussian"),
        BernoulliLoss(likelihood="bernoulli"),
        BernoulliLoss(likelihood="bernoulli", binarise=True),
    ],
    ids=["gaussian", "bernoulli", "binarised"],
)
def test_only_training_sees_changed_images_and_binary_ones_are_drawn_from_them(
    loss: LossSettings, make_statistics: Callable[..., Statistics], make_pixels: Callable[..., Array]
) -> None:
    statistics = make_statistics(8, 8, 1, stored=(10, 10))
    vae = build_vae(DenseModel(network="dense", latent_dim=2, hidden=(4,)), loss, statistics, seed=0)
    images = make_pixels(statistics, 16) // 2 + 100
    vae.compile(optimizer="sgd")
    vae.optimizer.build(vae.trainable_variables)
    vae.augment = lambda cropped, *, stored, step: 0.0 * cropped + (np.asarray(stored).shape == (16, 10, 10, 1)) * 255.0
    white = to_numpy(vae(images, training=True)["targets"])
    np.testing.assert_array_equal(white, np.ones((16, 8, 8, 1)))
    for others in (vae(images, training=False), vae.terms(images, np.zeros((16, 2), np.float32))):
        assert to_numpy(others["targets"]).mean() < 0.95
