"""The importance-weighted bound as a loss, and binary images, drawn anew each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.tensors import to_float64

from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, DenseModel, ModelSettings, ResnetModel

Array = np.ndarray[Any, Any]
MakeStatistics = Callable[..., Statistics]
DENSE = DenseModel(network="dense", latent_dim=3, hidden=(4,))
TWO_LEVELS = ResnetModel(network="resnet", latent_dim=3, widths=(4,), patch=4, local_latents=2)


def make(statistics: Statistics, model: ModelSettings = DENSE, *, binarise: bool = False) -> VAE:
    """Build a small model."""
    return build_vae(model, BernoulliLoss(likelihood="bernoulli", binarise=binarise), statistics, seed=5)


def loss_of(vae: VAE, batch: dict[str, Any]) -> float:
    """Return the loss of a batch that the model has computed."""
    return float(to_float64(vae.compute_loss(y_pred=batch)))


@pytest.mark.parametrize("model", [DENSE, TWO_LEVELS], ids=["one level", "two levels"])
def test_with_several_codes_the_loss_is_the_importance_weighted_bound(
    model: ModelSettings, make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics, model)
    vae.importance_samples = 6
    batch = vae(make_pixels(statistics, 4), training=True)
    assert {tuple(batch[name].shape) for name in ("codes", "mean", "log_variance")} == {(24, vae.latent_dim)}
    codes, mean, log_variance = (to_float64(batch[name]) for name in ("codes", "mean", "log_variance"))

    def log_normal(values: Array, mean: Any, log_variance: Any) -> Array:
        density = -0.5 * (np.log(2 * np.pi) + log_variance + np.square(values - mean) / np.exp(log_variance))
        return np.asarray(density.sum(axis=1))

    log_prob = to_float64(vae.likelihood.log_prob(batch["targets"], batch["outputs"]))
    weights = log_prob + log_normal(codes, 0.0, np.zeros(codes.shape)) - log_normal(codes, mean, log_variance)
    expected = -np.log(np.exp(weights.reshape(4, 6)).mean(axis=1)).mean()
    assert loss_of(vae, batch) == pytest.approx(expected, rel=1e-5)


def test_the_codes_of_one_image_follow_each_other(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics)
    pixels = make_pixels(statistics, 3)
    vae.importance_samples = 2
    repeated = to_float64(vae(pixels)["targets"])
    np.testing.assert_allclose(repeated[:, :, :, 0] * 255, np.repeat(pixels[..., 0], 2, axis=0), atol=1e-4)


def test_the_second_level_depends_on_the_first_levels_code(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics, TWO_LEVELS)
    pixels = make_pixels(statistics, 2)
    noise = np.zeros((2, vae.latent_dim), np.float32)
    at_mean = vae.terms(pixels, noise)
    np.testing.assert_allclose(to_float64(at_mean["mean"]), to_float64(vae.encode(pixels)[0]), atol=1e-6)
    noise[:, 0] = 2.0
    moved = vae.terms(pixels, noise)
    np.testing.assert_array_equal(to_float64(moved["mean"])[:, :3], to_float64(at_mean["mean"])[:, :3])
    assert np.abs(to_float64(moved["mean"])[:, 3:] - to_float64(at_mean["mean"])[:, 3:]).max() > 1e-4


def test_training_draws_new_binary_images_each_time_whose_mean_is_the_image(
    make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(6, 6, 1)
    vae = make(statistics, binarise=True)
    image = make_pixels(statistics, 1)
    pixels = np.repeat(image, 400, axis=0)
    draws, others = (to_float64(vae(pixels, training=True)["targets"]) for _ in range(2))
    assert not np.array_equal(draws, others)
    assert set(np.unique(draws)) == {0.0, 1.0}
    error = 5 * 0.5 / np.sqrt(400)
    np.testing.assert_allclose(draws.mean(axis=0), image[0] / 255.0, atol=error)
