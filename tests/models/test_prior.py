"""A learned prior: its density, its KL in the loss, and its samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.tensors import to_float64
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp
from scipy.stats import norm

from components.latents.noise import standard_normal
from models.build import build_vae
from models.kl import kl_divergence
from models.prior import MixturePrior
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, DenseModel, ModelSettings, ResnetModel

Array = np.ndarray[Any, Any]
MakeStatistics = Callable[..., Statistics]
DENSE = DenseModel(network="dense", latent_dim=3, hidden=(4,), prior_components=5)
TWO_LEVELS = ResnetModel(network="resnet", latent_dim=3, widths=(4,), patch=4, local_latents=2, prior_components=5)
both = pytest.mark.parametrize("model", [DENSE, TWO_LEVELS], ids=["one level", "two levels"])


def learned(components: int = 5, dims: int = 3, *, labels: int = 0, seed: int = 0) -> MixturePrior:
    """Return a prior with random weights, as after training."""
    prior, random = MixturePrior(components, dims, labels=labels), np.random.default_rng(seed)
    prior.build()
    for weight in prior.weights:
        weight.assign(random.normal(size=weight.shape))
    return prior


def log_density(prior: MixturePrior, codes: Array, *, label: int = 0) -> Array:
    """Return the log density of codes [B, D], computed by SciPy: [B]."""
    logits, means, log_deviations = (to_float64(w) for w in (prior.logits, prior.means, prior.log_deviations))
    components = norm.logpdf(codes[:, None, :], means, np.exp(log_deviations)).sum(axis=-1)
    return np.asarray(logsumexp(logits[label] - logsumexp(logits[label]) + components, axis=1))


def make(statistics: Statistics, model: ModelSettings) -> VAE:
    """Build a small model, whose prior has random weights."""
    vae = build_vae(model, BernoulliLoss(likelihood="bernoulli"), statistics, seed=5)
    vae.prior.set_weights(learned().get_weights())
    return vae


@given(codes=arrays(np.float32, (6, 3), elements=st.floats(-6, 6, width=32)), seed=st.integers(0, 99))
def test_the_density_is_that_of_a_mixture(codes: Array, seed: int) -> None:
    prior = learned(seed=seed)
    expected = log_density(prior, codes) + 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(to_float64(prior(codes)), expected, rtol=1e-3, atol=1e-3)


def test_each_label_has_its_own_shares() -> None:
    prior = learned(labels=4)
    codes = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    labels = np.arange(8) % 4
    expected = [log_density(prior, codes[row : row + 1], label=labels[row])[0] for row in range(8)]
    np.testing.assert_allclose(
        to_float64(prior(codes, labels)), np.array(expected) + 1.5 * np.log(2 * np.pi), rtol=1e-4
    )


def test_the_initial_prior_is_near_the_normal_distribution() -> None:
    prior, random = MixturePrior(400, 4), np.random.default_rng(0)
    prior.build()
    codes = np.asarray(prior.sampler(4).codes(random.standard_normal((20_000, 4)), random.random(20_000, np.float32)))
    np.testing.assert_allclose(codes.mean(axis=0), 0.0, atol=0.1)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(4), atol=0.1)


@both
def test_the_kl_is_right_on_average(model: ModelSettings, make_statistics: MakeStatistics, make_pixels: Any) -> None:
    """Hold the estimate against the closed form of a prior that is one normal distribution."""
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics, model)
    mean, deviation = np.array([1.0, -0.5, 0.0]), np.array([0.5, 2.0, 1.0])
    vae.prior.set_weights([np.zeros((1, 5)), np.tile(mean, (5, 1)), np.tile(np.log(deviation), (5, 1))])
    pixels, count = np.repeat(make_pixels(statistics, 1), 4000, axis=0), 4000
    terms = vae.terms(pixels, standard_normal(0, start=0, count=count, size=vae.latent_dim))
    posterior, log_variance = to_float64(terms["mean"]), to_float64(terms["log_variance"])
    first = kl_divergence((posterior[:, :3] - mean) / deviation, log_variance[:, :3] - 2 * np.log(deviation))
    expected = to_float64(first) + to_float64(kl_divergence(posterior[:, 3:], log_variance[:, 3:]))
    kl = to_float64(terms["kl"])
    assert np.ptp(kl) > 0.1  # because it is an estimate from one code per image
    assert abs((kl - expected).mean()) < 5 * (kl - expected).std() / np.sqrt(count)


@both
def test_an_importance_weight_has_the_density_of_the_learned_prior(
    model: ModelSettings, make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(8, 8, 1)
    vae, pixels = make(statistics, model), make_pixels(statistics, 4)
    noise = standard_normal(1, start=0, count=4, size=vae.latent_dim)
    terms = vae.terms(pixels, noise)
    mean, log_variance = to_float64(terms["mean"]), to_float64(terms["log_variance"])
    codes = mean + np.exp(0.5 * log_variance) * noise
    prior = log_density(vae.prior, codes[:, :3]) + norm.logpdf(codes[:, 3:]).sum(axis=1)
    expected = to_float64(terms["log_prob"]) + prior - norm.logpdf(codes, mean, np.exp(0.5 * log_variance)).sum(axis=1)
    np.testing.assert_allclose(to_float64(vae.log_weights(pixels, noise[:, None]))[:, 0], expected, rtol=1e-4)


def test_training_changes_the_prior(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(8, 8, 1)
    vae = make(statistics, DENSE)
    vae.compile(optimizer=keras.optimizers.Adam(0.05), run_eagerly=True)
    before = vae.prior.get_weights()
    losses = vae.fit(make_pixels(statistics, 16), epochs=15, verbose=0).history
    assert losses["kl"][-1] < losses["kl"][0]
    for old, new in zip(before, vae.prior.get_weights(), strict=True):
        assert np.abs(new - old).max() > 1e-3


def test_a_saved_prior_loads_unchanged(make_statistics: MakeStatistics, tmp_path: Path) -> None:
    vae = make(make_statistics(8, 8, 1), TWO_LEVELS)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras", compile=False, safe_mode=True)
    for old, new in zip(vae.prior.get_weights(), loaded.prior.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    assert loaded.prior_sampler().kind == "prior"


@pytest.mark.parametrize("label", [None, 0, 1])
def test_samples_have_the_mean_and_deviation_of_the_prior(label: int | None) -> None:
    prior, random = learned(components=3, labels=0 if label is None else 2), np.random.default_rng(0)
    sampler, count = prior.sampler(5), 20_000
    labels = None if label is None else np.full(count, label)
    codes = np.asarray(sampler.codes(random.standard_normal((count, 5)), random.random(count, np.float32), labels))
    shares = sampler.shares[label or 0].astype(np.float64)
    np.testing.assert_allclose(shares.sum(), 1.0, rtol=1e-5)
    expected = shares @ sampler.means
    deviation = np.sqrt(shares @ (sampler.deviations**2 + sampler.means**2) - expected**2)
    np.testing.assert_allclose(codes[:, :3].mean(axis=0), expected, atol=float(5 * deviation.max() / np.sqrt(count)))
    np.testing.assert_allclose(codes[:, :3].std(axis=0), deviation, rtol=0.05)
    np.testing.assert_allclose(codes[:, 3:].std(axis=0), 1.0, rtol=0.05)
