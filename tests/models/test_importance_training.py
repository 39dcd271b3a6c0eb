"""The importance-weighted bound as a loss, and binary images, which are drawn anew each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keras import ops

from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, DenseModel, ModelSettings, ResnetModel

Array = np.ndarray[Any, Any]
MakeStatistics = Callable[..., Statistics]
DENSE = DenseModel(network="dense", latent_dim=3, hidden=(4,))
TWO_LEVELS = ResnetModel(network="resnet", latent_dim=3, widths=(4,), patch=4, local_latents=2)


def number(value: Any) -> Array:
    """A tensor as an array."""
    return np.asarray(ops.convert_to_numpy(value), np.float64)


def make(statistics: Statistics, model: ModelSettings = DENSE, *, binarise: bool = False) -> VAE:
    """A small model."""
    return build_vae(model, BernoulliLoss(likelihood="bernoulli", binarise=binarise), statistics, seed=5)


def loss_of(vae: VAE, made: dict[str, Any]) -> float:
    """What training would minimise."""
    return float(number(vae.compute_loss(y_pred=made)))


@pytest.mark.parametrize("model", [DENSE, TWO_LEVELS], ids=["one level", "two levels"])
def test_with_several_codes_the_loss_is_the_importance_weighted_bound(
    model: ModelSettings, make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics, model)
    vae.importance_samples = 6
    made = vae(make_pixels(statistics, 4), training=True)
    assert {tuple(made[name].shape) for name in ("codes", "mean", "log_variance")} == {(24, vae.latent_dim)}
    codes, mean, log_variance = (number(made[name]) for name in ("codes", "mean", "log_variance"))

    def log_normal(values: Array, mean: Any, log_variance: Any) -> Array:
        density = -0.5 * (np.log(2 * np.pi) + log_variance + np.square(values - mean) / np.exp(log_variance))
        return np.asarray(density.sum(axis=1))

    log_prob = number(vae.likelihood.log_prob(made["targets"], made["outputs"]))
    weights = log_prob + log_normal(codes, 0.0, np.zeros(codes.shape)) - log_normal(codes, mean, log_variance)
    expected = -np.log(np.exp(weights.reshape(4, 6)).mean(axis=1)).mean()
    assert loss_of(vae, made) == pytest.approx(expected, rel=1e-5)


def test_the_codes_of_an_image_stand_together(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics)
    pixels = make_pixels(statistics, 3)
    vae.importance_samples = 2
    repeated = number(vae(pixels)["targets"])
    np.testing.assert_allclose(repeated[:, :, :, 0] * 255, np.repeat(pixels[..., 0], 2, axis=0), atol=1e-4)


def test_the_second_level_depends_on_the_firsts_code(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics, TWO_LEVELS)
    pixels = make_pixels(statistics, 2)
    noise = np.zeros((2, vae.latent_dim), np.float32)
    still = vae.terms(pixels, noise)
    np.testing.assert_allclose(number(still["mean"]), number(vae.encode(pixels)[0]), atol=1e-6)
    noise[:, 0] = 2.0
    moved = vae.terms(pixels, noise)
    np.testing.assert_array_equal(number(moved["mean"])[:, :3], number(still["mean"])[:, :3])
    assert np.abs(number(moved["mean"])[:, 3:] - number(still["mean"])[:, 3:]).max() > 1e-4


def test_training_sees_other_binary_images_each_time_with_the_images_as_their_mean(
    make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(6, 6, 1)
    vae = make(statistics, binarise=True)
    pixels = make_pixels(statistics, 1)
    seen = np.stack([number(vae(pixels, training=True)["targets"])[0] for _ in range(400)])
    assert set(np.unique(seen)) == {0.0, 1.0}
    error = 5 * 0.5 / np.sqrt(400)
    np.testing.assert_allclose(seen.mean(axis=0), pixels[0] / 255.0, atol=error)
