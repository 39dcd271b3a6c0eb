"""The arithmetic of the variational autoencoder: KL, sampling, loss, terms and crops."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.tensors import to_numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.special import expit, log_expit
from scipy.stats import norm

from models.batch import WholeBatch
from models.build import build_vae
from models.crop import window
from models.kl import kl_divergence
from models.samplers import PosteriorSampler
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, DenseModel, MseLoss

Array = np.ndarray[Any, Any]
MakeStatistics = Callable[..., Statistics]


def row(*values: float) -> Array:
    """Return the values of one image, per dimension: [1, D]."""
    return np.array([values], np.float32)


def small_vae(statistics: Statistics, *, bernoulli: bool = True, latent_dim: int = 2) -> VAE:
    """Build a model with one small hidden layer, because these tests do not depend on the network."""
    loss = BernoulliLoss(likelihood="bernoulli") if bernoulli else MseLoss(likelihood="mse", weight=30.0)
    return build_vae(DenseModel(network="dense", latent_dim=latent_dim, hidden=(4,)), loss, statistics, seed=5)


def coordinates(count: int, height: int, width: int) -> Array:
    """Return images whose pixel at (row, column) is 16 · row + column; at most 16 × 16."""
    image = 16 * np.arange(height)[:, None] + np.arange(width)[None, :]
    return np.tile(image.astype(np.uint8)[None, :, :, None], (count, 1, 1, 1))


# --- KL and sampling -------------------------------------------------------------------------------------------------

codes = arrays(np.float32, (3, 4), elements=st.floats(-5, 5, width=32))


@given(mean=codes, log_variance=codes)
def test_kl_has_the_closed_form_and_is_never_negative(mean: Array, log_variance: Array) -> None:
    mu, log_var = mean.astype(np.float64), log_variance.astype(np.float64)
    expected = 0.5 * (np.square(mu) + np.exp(log_var) - log_var - 1).sum(axis=-1)
    kl = to_numpy(kl_divergence(mean, log_variance))
    assert kl.shape == (3,)
    np.testing.assert_allclose(kl, expected, rtol=1e-5, atol=1e-5)
    assert (kl >= -1e-5).all()


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.5, 0.3), (-2.0, 2.0)])
def test_kl_is_the_integral_that_defines_it(mean: float, deviation: float) -> None:
    posterior, prior = norm(mean, deviation), norm(0, 1)
    width = 12 * deviation
    expected, _ = quad(
        lambda x: posterior.pdf(x) * (posterior.logpdf(x) - prior.logpdf(x)), mean - width, mean + width, points=[mean]
    )
    kl = kl_divergence(row(mean), row(2 * math.log(deviation)))
    assert float(to_numpy(kl)[0]) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_kl_of_independent_dimensions_adds_up() -> None:
    mean, log_variance = row(1.0, -2.0, 0.5), row(0.0, 1.0, -3.0)
    by_dimension = [to_numpy(kl_divergence(mean[:, d : d + 1], log_variance[:, d : d + 1]))[0] for d in range(3)]
    assert to_numpy(kl_divergence(mean, log_variance))[0] == pytest.approx(sum(by_dimension), rel=1e-6)


def test_a_code_is_mean_plus_deviation_times_noise() -> None:
    mean, log_variance = row(1.0, -2.0), row(0.0, math.log(9.0))
    sampler = PosteriorSampler(seed=0)
    np.testing.assert_array_equal(to_numpy(sampler(mean, log_variance, np.zeros((1, 2)))), mean)
    np.testing.assert_allclose(to_numpy(sampler(mean, log_variance, row(0.5, -1.0))), row(1.5, -5.0), rtol=1e-6)


def test_sampled_codes_have_the_posteriors_moments_and_differ_each_time() -> None:
    mean, log_variance = np.full((20_000, 1), 3.0, np.float32), np.full((20_000, 1), math.log(4.0), np.float32)
    sampler = PosteriorSampler(seed=0)
    first, second = to_numpy(sampler(mean, log_variance)), to_numpy(sampler(mean, log_variance))
    assert first.mean() == pytest.approx(3.0, abs=5 * 2 / math.sqrt(20_000))
    assert first.std() == pytest.approx(2.0, rel=0.05)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.05
    np.testing.assert_array_equal(to_numpy(PosteriorSampler(seed=0)(mean, log_variance)), first)
    assert not np.array_equal(to_numpy(PosteriorSampler(seed=1)(mean, log_variance)), first)


def test_a_loaded_model_starts_its_noise_from_the_seed(make_statistics: MakeStatistics, tmp_path: Path) -> None:
    pixels = np.zeros((2, 4, 4, 1), np.uint8)
    vae = small_vae(make_statistics(4, 4, 1))
    expected = to_numpy(vae(pixels, training=True)["outputs"])
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras", safe_mode=True)
    np.testing.assert_array_equal(to_numpy(loaded(pixels, training=True)["outputs"]), expected)


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "weighted"),
    [
        (BernoulliLoss(likelihood="bernoulli"), lambda bce, mse, kl: bce + kl),
        (BernoulliLoss(likelihood="bernoulli", reconstruction="mean"), lambda bce, mse, kl: bce / 48 + kl),
        (BernoulliLoss(likelihood="bernoulli", kl="mean"), lambda bce, mse, kl: bce + kl / 3),
        (MseLoss(likelihood="mse", weight=30), lambda bce, mse, kl: 30 * mse + kl),
        (MseLoss(likelihood="mse", weight=30, kl="mean"), lambda bce, mse, kl: 30 * mse + kl / 3),
        (MseLoss(likelihood="mse", weight=30, kl="none"), lambda bce, mse, kl: 30 * mse),
    ],
    ids=["sum", "mean over pixels", "KL mean", "mse", "mse, KL mean", "no KL"],
)
def test_the_loss_has_the_weights_of_its_settings(
    make_statistics: MakeStatistics, make_pixels: Any, loss: Any, weighted: Callable[..., Array]
) -> None:
    statistics = make_statistics(4, 4, 3)
    vae = build_vae(DenseModel(network="dense", latent_dim=3, hidden=(4,)), loss, statistics, seed=5)
    pixels = make_pixels(statistics, 6)
    batch = vae(pixels, training=False)
    targets, outputs = to_numpy(batch["targets"]).astype(np.float64), to_numpy(batch["outputs"]).astype(np.float64)
    mean, log_var = to_numpy(batch["mean"]).astype(np.float64), to_numpy(batch["log_variance"]).astype(np.float64)
    bce = -(targets * log_expit(outputs) + (1 - targets) * log_expit(-outputs)).sum(axis=(1, 2, 3))
    mse = np.square(targets - expit(outputs)).mean(axis=(1, 2, 3))
    kl = 0.5 * (np.square(mean) + np.exp(log_var) - log_var - 1).sum(axis=-1)
    value = float(to_numpy(vae.compute_loss(y_pred=batch)))
    assert value == pytest.approx(weighted(bce, mse, kl).mean(), rel=1e-6)
    assert float(vae.kl_tracker.result()) == pytest.approx(0 if loss.kl == "none" else kl.mean(), rel=1e-5)


def test_a_plain_autoencoder_decodes_the_mean_and_ignores_noise(
    make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(4, 4, 1)
    loss = MseLoss(likelihood="mse", kl="none")
    vae = build_vae(DenseModel(network="dense", latent_dim=2, hidden=(4,)), loss, statistics, seed=5)
    pixels = make_pixels(statistics, 6)
    mean, _ = vae.encode(pixels)
    expected = to_numpy(vae.decoder(mean))
    for training in (False, True):
        np.testing.assert_allclose(to_numpy(vae(pixels, training=training)["outputs"]), expected, rtol=1e-6)
    terms = vae.terms(pixels, np.ones((6, 2), np.float32))
    np.testing.assert_allclose(
        to_numpy(terms["reconstructions"]), to_numpy(vae.normalise.to_unit(vae.decode(mean))), rtol=1e-6
    )
    assert (to_numpy(terms["kl"]) == 0).all()


# --- terms -----------------------------------------------------------------------------------------------------------


def test_the_noise_decides_the_terms(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(4, 4, 1)
    vae, pixels = small_vae(statistics), make_pixels(statistics, 6)
    noise = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    first, again, other = vae.terms(pixels, noise), vae.terms(pixels, noise), vae.terms(pixels, -noise)
    for name in first:
        np.testing.assert_array_equal(to_numpy(again[name]), to_numpy(first[name]), err_msg=name)
    assert not np.array_equal(to_numpy(other["log_prob"]), to_numpy(first["log_prob"]))
    for name in ("kl", "mean", "log_variance", "targets"):
        np.testing.assert_array_equal(to_numpy(other[name]), to_numpy(first[name]), err_msg=name)


@pytest.mark.parametrize("normalise", ["unit", "symmetric", "standardise"])
def test_without_noise_the_reconstruction_is_decoded_from_the_mean(
    make_statistics: MakeStatistics, make_pixels: Any, normalise: str
) -> None:
    statistics = make_statistics(4, 4, 3, normalise=normalise)
    vae, pixels = small_vae(statistics, bernoulli=False), make_pixels(statistics, 6)
    terms = vae.terms(pixels, np.zeros((6, 2), np.float32))
    mean, log_variance = vae.encode(pixels)
    np.testing.assert_array_equal(to_numpy(terms["mean"]), to_numpy(mean))
    np.testing.assert_array_equal(to_numpy(terms["log_variance"]), to_numpy(log_variance))
    decoded = to_numpy(vae.normalise.to_unit(vae.decode(mean)))
    np.testing.assert_allclose(to_numpy(terms["reconstructions"]), decoded, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(to_numpy(terms["targets"]), pixels / 255.0, rtol=1e-5, atol=1e-6)


def test_training_minimises_the_negative_elbo_of_a_bernoulli(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(4, 4, 1)
    vae, pixels = small_vae(statistics), make_pixels(statistics, 8)
    batch = vae(pixels, training=True)
    noise = (batch["mean"] * 0.0) + 1.0
    batch["outputs"] = vae.decoder(vae.sampler(batch["mean"], batch["log_variance"], noise))
    terms = vae.terms(pixels, noise)
    elbo = to_numpy(terms["log_prob"]) - to_numpy(terms["kl"])
    assert float(to_numpy(vae.compute_loss(y_pred=batch))) == pytest.approx(-elbo.mean(), rel=1e-5)


def test_evaluation_reports_the_terms_of_the_loss(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(4, 4, 1)
    vae = small_vae(statistics, bernoulli=False)
    vae.compile(jit_compile=False)
    logs = vae.evaluate(make_pixels(statistics, 12), batch_size=4, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "reconstruction", "kl"}
    assert logs["loss"] == pytest.approx(logs["reconstruction"] + logs["kl"], rel=1e-5)


# --- crops -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stored", "top", "left"), [((4, 6), 0, 0), ((8, 8), 2, 1), ((5, 9), 0, 1), ((4, 16), 0, 5)])
def test_outside_training_the_crop_is_the_centre(
    make_statistics: MakeStatistics, stored: tuple[int, int], top: int, left: int
) -> None:
    vae, pixels = small_vae(make_statistics(4, 6, 1, stored=stored)), coordinates(3, *stored)
    expected = pixels[:, top : top + 4, left : left + 6]
    np.testing.assert_array_equal(to_numpy(vae.crop(pixels, random=False)), expected)
    for targets in (vae(pixels)["targets"], vae(pixels, training=False)["targets"]):
        np.testing.assert_allclose(to_numpy(targets) * 255, expected, atol=1e-3)
    on_black = vae.encode(padded(expected, stored))[0]
    np.testing.assert_array_equal(to_numpy(vae.encode(pixels)[0]), to_numpy(on_black))


def padded(centre: Array, stored: tuple[int, int]) -> Array:
    """Put the centre on black, because what lies outside must not change anything."""
    spare_y, spare_x = stored[0] - centre.shape[1], stored[1] - centre.shape[2]
    rows, columns = (spare_y // 2, spare_y - spare_y // 2), (spare_x // 2, spare_x - spare_x // 2)
    return np.pad(centre, ((0, 0), rows, columns, (0, 0)))


@given(
    height=st.integers(4, 8),
    width=st.integers(4, 8),
    spare_y=st.integers(0, 8),
    spare_x=st.integers(0, 8),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_training_crop_is_always_a_window_of_the_stored_image(
    height: int, width: int, spare_y: int, spare_x: int, seed: int
) -> None:
    pixels = coordinates(16, height + spare_y, width + spare_x)
    generator = keras.random.SeedGenerator(seed)
    crops = to_numpy(window(pixels, height=height, width=width, seed=generator, batch=WholeBatch())).astype(int)
    assert crops.shape == (16, height, width, 1)
    for crop in crops[..., 0]:
        top, left = divmod(crop[0, 0], 16)
        assert 0 <= top <= spare_y
        assert 0 <= left <= spare_x
        rows, columns = top + np.arange(height)[:, None], left + np.arange(width)[None, :]
        np.testing.assert_array_equal(crop, 16 * rows + columns)


def test_training_crops_differ_between_images_and_steps_and_reach_every_position(
    make_statistics: MakeStatistics,
) -> None:
    vae, pixels = small_vae(make_statistics(4, 4, 1, stored=(6, 7))), coordinates(256, 6, 7)
    first, second = (to_numpy(vae(pixels, training=True)["targets"])[:, 0, 0, 0] * 255 for _ in range(2))
    places = {16 * top + left for top in range(3) for left in range(4)}
    assert set(np.rint(first).astype(int)) == set(np.rint(second).astype(int)) == places
    assert not np.array_equal(first, second)


def test_all_channels_are_cropped_at_the_same_position(make_statistics: MakeStatistics) -> None:
    vae = small_vae(make_statistics(4, 4, 3, stored=(7, 7)))
    pixels = np.repeat(coordinates(8, 7, 7), 3, axis=-1)
    windows = to_numpy(vae.crop(pixels, random=True))
    np.testing.assert_array_equal(windows[..., 0], windows[..., 1])
    np.testing.assert_array_equal(windows[..., 0], windows[..., 2])
