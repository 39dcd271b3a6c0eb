"""Samplers of codes fitted to the posteriors of training images.

Ghosh et al. 2020, "From Variational to Deterministic Autoencoders", section 4: after training, a mixture of normal
distributions that is fitted to the codes makes better images than the prior, which rarely matches the aggregate posterior.
Loads TensorFlow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from components.examples.training_images import TrainingImages
from components.latents.posteriors import posteriors_of
from models.code_samplers import AggregatePosterior, CodeSampler, Mixture, UniformBox
from models.vae import VAE
from schemas.errors import DataError

MAX_FITTED = 20_000  # training images whose codes samplers are fitted to
COMPONENTS = (1, 2, 5, 10, 20, 40)  # candidate numbers of components
MAX_COMPONENTS = 50  # of all labels together; each label has one at least
MAX_CODES = 20_000  # that a mixture is fitted to
MAX_ROWS = 10_000  # of the aggregate posterior, all labels together
UNUSED = 0.01  # nats: a dimension whose mean KL over images is below counts as the prior
_ITERATIONS = 50  # of expectation-maximisation
_TOLERANCE = 0.001  # nats per code: expectation-maximisation ends when an iteration raises the likelihood by less
_REGULARISATION = 1e-6  # added to variances, relative to the mean variance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Components:
    """The normal distributions of one label's mixture."""

    shares: Floats  # [K]
    means: Floats  # [K, D]
    covariances: Floats  # [K, D, D]


def fit_to_training(
    vae: VAE, images: TrainingImages, *, seed: int, progress: Callable[[int], None]
) -> list[CodeSampler]:
    """Return the samplers to compare: the prior, and those that are fitted to the posteriors of training images.

    Args:
        vae: The model.
        images: The training images.
        seed: Seed of everything that is drawn.
        progress: Called after every batch with the number of images done.
    """
    posteriors = posteriors_of(vae, images, "train", limit=MAX_FITTED, seed=seed, progress=progress)
    fitted = fit_samplers(
        posteriors.means,
        posteriors.log_variances,
        labels=posteriors.labels,
        label_count=len(vae.labels),
        seed=seed,
    )
    return [vae.prior_sampler(), *fitted]


def fit_samplers(
    means: NDArray[Any],
    log_variances: NDArray[Any],
    *,
    labels: NDArray[Any] | None,
    label_count: int,
    seed: int,
) -> list[CodeSampler]:
    """Fit samplers to posteriors: a uniform box, a mixture of normal distributions and the aggregate posterior.

    The box reaches from the smallest to the largest mean. The mixture is fitted to a code drawn from each posterior, not to
    the means, because it has to match the aggregate posterior. In unused dimensions that is N(0, 1), while the means are
    almost 0 there, and their density degenerates. The same arguments give the same bits, on any number of cores.

    Args:
        means: Means of the images' posteriors: [N, D], N at least 1.
        log_variances: Their log variances: [N, D]; -∞ for a plain autoencoder, whose codes are the means.
        labels: Labels of the images, from 0: [N]; None where the model is not conditional.
        label_count: Number of labels; ignored where `labels` is None.
        seed: Seed of everything that is drawn.

    Raises:
        DataError: A posterior is not finite.
    """
    means = means.astype(np.float64)
    with np.errstate(over="ignore"):
        variances = np.exp(log_variances.astype(np.float64))
        finite = np.isfinite(means) & np.isfinite(variances.astype(np.float32))
    if unusable := np.count_nonzero(~finite.all(axis=1)):
        raise DataError(
            f"the model: expected finite numbers for every training image, found NaN or infinity for {unusable:,} of "
            f"{len(means):,}; lower train.learning_rate and train again"
        )
    if labels is None:
        labels, label_count = np.zeros(len(means), np.int64), 1
    rows = [np.flatnonzero(labels == label) for label in range(label_count)]
    # On several threads the order of sums, and so their rounding, would vary.
    with threadpool_limits(1), warnings.catch_warnings():
        # Too few iterations, or fewer distinct codes than components: held-out codes decide whether the mixture is good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = _mixture(means, variances, rows, seed=seed)
    return [
        UniformBox(means.min(axis=0).astype(np.float32), means.max(axis=0).astype(np.float32)),
        mixture,
        _aggregate_posterior(means, variances, rows, seed=seed),
    ]


def _aggregate_posterior(
    means: Floats, variances: Floats, rows: list[NDArray[np.intp]], *, seed: int
) -> AggregatePosterior:
    """Return the posteriors of images drawn at random, with the same limit for each label."""
    random, limit = np.random.default_rng(seed), max(1, MAX_ROWS // len(rows))
    by_label = [np.sort(random.choice(row, min(len(row), limit), replace=False)) for row in rows]
    starts = np.cumsum([0, *map(len, by_label)], dtype=np.int32)
    sample = np.concatenate(by_label)
    return AggregatePosterior(means[sample].astype(np.float32), np.sqrt(variances[sample]).astype(np.float32), starts)


def _mixture(means: Floats, variances: Floats, rows: list[NDArray[np.intp]], *, seed: int) -> Mixture:
    """Fit a mixture to each label's codes; a label of fewer than 2 D codes has the covariance of all codes, around its mean."""
    dims = means.shape[1]
    all_codes = _single_normal(means, variances)
    mixtures = []
    for label, own in enumerate(rows):
        if len(own) >= 2 * dims:
            random = np.random.default_rng([seed, label])
            limit = max(1, MAX_COMPONENTS // len(rows))
            mixtures.append(_best_mixture(means[own], variances[own], max_components=limit, random=random))
        else:
            mean = means[own].mean(axis=0, keepdims=True) if len(own) else all_codes.means
            mixtures.append(_Components(all_codes.shares, mean, all_codes.covariances))
    max_count = max(len(components.shares) for components in mixtures)
    shares, centres = np.zeros((len(mixtures), max_count)), np.zeros((len(mixtures), max_count, dims))
    factors = np.zeros((len(mixtures), max_count, dims, dims))
    for label, components in enumerate(mixtures):
        count = len(components.shares)
        shares[label, :count], centres[label, :count] = components.shares, components.means
        factors[label, :count] = np.linalg.cholesky(components.covariances)
    return Mixture(shares.astype(np.float32), centres.astype(np.float32), factors.astype(np.float32))


def _single_normal(means: Floats, variances: Floats) -> _Components:
    """Return the normal distribution with the mean and the covariance of the aggregate posterior; no code is drawn.

    By the law of total variance the covariance is that of the means plus the mean of the variances.
    """
    mean = means.mean(axis=0, keepdims=True)
    covariance = (means - mean).T @ (means - mean) / len(means) + np.diag(variances.mean(axis=0))
    covariance += _regularisation(np.diag(covariance)) * np.eye(len(covariance))
    return _Components(np.ones(1), mean, covariance[None])


def _best_mixture(means: Floats, variances: Floats, *, max_components: int, random: np.random.Generator) -> _Components:
    """Fit a mixture with the number of components that gives a held-out tenth of the codes the greatest likelihood.

    Unused dimensions are N(0, 1) and are left out of the fit: their noise would make more components look worse.

    Args:
        means: [n, D], n at least 2 D.
        variances: [n, D].
        max_components: Components, at most.
        random: Draws codes, the held-out tenth, and the start of components.
    """
    with np.errstate(divide="ignore"):  # a plain autoencoder has variances of 0: its KL is infinite
        kl = 0.5 * (np.square(means) + variances - np.log(variances) - 1.0).mean(axis=0)
    used = np.flatnonzero(kl >= UNUSED)
    rows = random.permutation(len(means))[:MAX_CODES]
    codes = means[rows] + np.sqrt(variances[rows]) * random.standard_normal((len(rows), means.shape[1]))
    held_out, fitted = np.split(codes[:, used], [max(1, len(rows) // 10)])
    start = int(random.integers(2**31))
    candidates, likelihoods = [], []
    for count in COMPONENTS:
        if not len(used) or count > max_components or count * 2 * len(used) > len(fitted):
            break
        ridge = _regularisation(fitted.var(axis=0))
        mixture = GaussianMixture(count, tol=_TOLERANCE, reg_covar=ridge, max_iter=_ITERATIONS, random_state=start)
        candidates.append(mixture.fit(fitted))
        likelihoods.append(mixture.score(held_out))
        if np.argmax(likelihoods) < len(likelihoods) - 2:
            break  # no better twice in a row: more components fit the codes' noise
    count, dims = COMPONENTS[int(np.argmax(likelihoods))] if likelihoods else 1, means.shape[1]
    if count == 1:
        return _single_normal(means, variances)
    best = candidates[COMPONENTS.index(count)]
    centres, covariances = np.zeros((count, dims)), np.tile(np.eye(dims), (count, 1, 1))
    centres[:, used] = best.means_
    covariances[:, used[:, None], used] = best.covariances_
    return _Components(best.weights_, centres, covariances)


def _regularisation(variances: Floats) -> float:
    """Return what is added to variances, so that a covariance is positive definite where codes do not fill the space."""
    return max(float(_REGULARISATION * variances.mean()), 1e-12)
