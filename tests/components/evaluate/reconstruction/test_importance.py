"""The importance-weighted bound of a linear-Gaussian model, whose log-likelihood is known exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from components.evaluate.reconstruction.importance import Checkpoint, ImportanceBound
from components.latents.noise import standard_normal
from models.likelihoods import WeightedMse
from models.normalisation import Normalise
from models.vae import VAE

Array = np.ndarray[Any, Any]
SHAPE = (2, 2, 1)
SIZE, LATENT = 4, 2
VARIANCE = 0.05  # of a pixel given its code
# Orthogonal columns, so that the true posterior's dimensions are independent, as the encoder's are.
LOADINGS = np.array([[0.4, 0.0], [0.3, 0.0], [0.0, 0.6], [0.0, -0.2]])
OFFSET = np.array([0.5, 0.4, 0.6, 0.3])
PIXELS = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), dtype=np.uint8)


def linear_gaussian(*, inflate: float = 1.0) -> VAE:
    """Build ``x = W z + b + noise`` with the true posterior as encoder; its variance is multiplied by `inflate`."""
    posterior_variance = 1.0 / (1.0 + np.square(LOADINGS).sum(axis=0) / VARIANCE)  # [D]
    inwards = LOADINGS * posterior_variance / VARIANCE  # [SIZE, D]
    images = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(images)
    mean, log_variance = (keras.layers.Dense(LATENT, name=name) for name in ("mean", "log_variance"))
    encoder = keras.Model(images, [mean(flat), log_variance(flat)])
    mean.set_weights([inwards, -OFFSET @ inwards])
    log_variance.set_weights([np.zeros((SIZE, LATENT)), np.log(inflate * posterior_variance)])
    codes = keras.Input((LATENT,))
    outwards = keras.layers.Dense(SIZE)
    decoder = keras.Model(codes, keras.layers.Reshape(SHAPE)(outwards(codes)))
    outwards.set_weights([LOADINGS.T, OFFSET])
    return VAE(
        encoder=encoder,
        decoder=decoder,
        likelihood=WeightedMse(SIZE / (2 * VARIANCE), "linear"),
        normalise=Normalise([0.0], [1.0]),
    )


def exact() -> Array:
    """Return log p(x) of each image: Tipping & Bishop 1999, equation 2."""
    covariance = LOADINGS @ LOADINGS.T + VARIANCE * np.eye(SIZE)
    log_probabilities: Array = multivariate_normal(OFFSET, covariance).logpdf(PIXELS.reshape(-1, SIZE) / 255.0)
    return log_probabilities


def bound(vae: VAE, *, samples: int, codes: int = 1000, seed: int = 0) -> Array:
    """Return the bound of every image."""
    bounds: Array = ImportanceBound(vae, samples=samples, codes=codes, seed=seed)(PIXELS, start=0)
    return bounds


@pytest.mark.parametrize("samples", [1, 7])
def test_with_the_true_posterior_every_code_gives_the_exact_value(samples: int) -> None:
    np.testing.assert_allclose(bound(linear_gaussian(), samples=samples), exact(), rtol=1e-4, atol=1e-4)


def test_with_another_posterior_the_bound_rises_to_the_exact_value_with_more_codes() -> None:
    vae = linear_gaussian(inflate=2.0)
    copies = 2000  # of each image, each with noise of its own: so many that the gaps stand out from their errors
    images = np.tile(PIXELS, (copies, 1, 1, 1))
    gaps = []
    for samples in (1, 10, 100, 1000):
        values = ImportanceBound(vae, samples=samples, codes=100_000, seed=0)(images, start=0)
        gaps.append(np.mean(np.tile(exact(), copies) - values))
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[3] == pytest.approx(0.0, abs=0.01)
    # The gap of the ELBO is the KL of the inflated posterior from the true one.
    assert gaps[0] == pytest.approx(LATENT * 0.5 * (2.0 - 1.0 - np.log(2.0)), abs=0.1)


@pytest.mark.parametrize("codes", [1, 3, 5, 10, 1000])
def test_how_many_codes_are_decoded_at_once_changes_nothing(codes: int) -> None:
    vae = linear_gaussian(inflate=1.5)
    np.testing.assert_allclose(bound(vae, samples=5, codes=codes), bound(vae, samples=5), rtol=1e-5)


def test_an_images_bound_does_not_depend_on_those_beside_it() -> None:
    vae = linear_gaussian(inflate=1.5)
    bounds = ImportanceBound(vae, samples=5, codes=1000, seed=0)
    np.testing.assert_allclose(bounds(PIXELS[2:], start=2), bounds(PIXELS, start=0)[2:], rtol=1e-6)


def test_saved_values_are_not_measured_again_and_the_others_are_the_same(tmp_path: Path) -> None:
    vae, checkpoint = linear_gaussian(inflate=1.5), Checkpoint(tmp_path / "bound.npy")
    checkpoint.saved_at = -np.inf  # long ago: save at once
    whole = bound(vae, samples=5)
    ImportanceBound(vae, samples=5, codes=1000, seed=0, checkpoint=checkpoint)(PIXELS[:2], start=0)
    again = ImportanceBound(vae, samples=5, codes=1000, seed=0, checkpoint=Checkpoint(checkpoint.path))
    log_weights, again._log_weights = again._log_weights, None  # type: ignore[assignment]
    np.testing.assert_allclose(again(PIXELS[:2], start=0), whole[:2], rtol=1e-6)
    again._log_weights = log_weights
    np.testing.assert_allclose(again(PIXELS[2:], start=2), whole[2:], rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"no numbers"])
def test_a_broken_checkpoint_counts_as_empty(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bound.npy").write_bytes(content)
    assert Checkpoint(tmp_path / "bound.npy").get(0, 1) is None


def test_the_bound_is_the_mean_of_the_weights_of_the_images_own_noise() -> None:
    vae = linear_gaussian(inflate=1.5)
    noise = standard_normal(3, start=0, count=len(PIXELS), size=4 * LATENT).reshape(-1, 4, LATENT)
    expected = logsumexp(np.asarray(vae.log_weights(PIXELS, noise), np.float64), axis=1) - np.log(4)
    np.testing.assert_allclose(bound(vae, samples=4, seed=3), expected, rtol=1e-6)
