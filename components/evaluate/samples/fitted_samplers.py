"""Samplers of codes fitted to the posteriors of training images.

Ghosh et al. 2020, "From Variational to Deterministic Autoencoders", section 4: after training, a mixture of normal
distributions that is fitted to the codes makes better images than the prior, which few aggregate posteriors match.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from models.code_samplers import AggregatePosterior, CodeSampler, Mixture, UniformBox
from schemas.errors import DataError

COMPONENTS = (1, 2, 5, 10, 20, 40)  # numbers of them that are tried
MOST_COMPONENTS = 50  # of all labels together, save that each label has one
MOST_CODES = 20_000  # that a mixture is fitted to
MOST_ROWS = 10_000  # of the aggregate posterior, all labels together
UNUSED = 0.01  # nats of KL, on average over images, below which a dimension is taken for the prior
_ITERATIONS = 50  # of expectation-maximisation
_TOLERANCE = 0.001  # nats per code, by which an iteration has to raise the likelihood for another to follow
_REGULARISATION = 1e-6  # added to variances, of the mean variance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Components:
    """Normal distributions of one label."""

    shares: Floats  # [K]
    means: Floats  # [K, D]
    covariances: Floats  # [K, D, D]


def fit_samplers(
    means: NDArray[Any],
    log_variances: NDArray[Any],
    *,
    labels: NDArray[Any] | None,
    label_count: int,
    seed: int,
) -> list[CodeSampler]:
    """Fitted to posteriors: a uniform box, a mixture of normal distributions and the aggregate posterior.

    The box reaches from the least to the greatest mean. The mixture is fitted to a code drawn from each posterior, not to
    the means: what it is to match is the aggregate posterior, whose unused dimensions are N(0, 1), where means are all but 0
    and any density of them degenerate. The same arguments give the same bits, on any number of cores.

    Args:
        means: Of the images' posteriors: [N, D], N at least 1.
        log_variances: [N, D]; -∞ throughout for a plain autoencoder, whose codes are the means.
        labels: From 0: [N]; None where the model is not conditional.
        label_count: How many labels there are; it does not matter where `labels` is None.
        seed: Of all that is drawn.

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
    # With several threads sums are added in another order each time.
    with threadpool_limits(1), warnings.catch_warnings():
        # Too few iterations, or fewer distinct codes than components: the held-out codes say what it is worth.
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
    """Of images drawn at random, as many of each label where it has so many."""
    random, most = np.random.default_rng(seed), max(1, MOST_ROWS // len(rows))
    chosen = [np.sort(random.choice(own, min(len(own), most), replace=False)) for own in rows]
    starts = np.cumsum([0, *map(len, chosen)], dtype=np.int32)
    kept = np.concatenate(chosen)
    return AggregatePosterior(means[kept].astype(np.float32), np.sqrt(variances[kept]).astype(np.float32), starts)


def _mixture(means: Floats, variances: Floats, rows: list[NDArray[np.intp]], *, seed: int) -> Mixture:
    """Of each label's codes; a label of fewer than 2 D codes has the covariance of all codes around its own mean."""
    dims = means.shape[1]
    everything = _one(means, variances)
    found = []
    for label, own in enumerate(rows):
        if len(own) >= 2 * dims:
            random = np.random.default_rng([seed, label])
            most = max(1, MOST_COMPONENTS // len(rows))
            found.append(_fitted(means[own], variances[own], most=most, random=random))
        else:
            mean = means[own].mean(axis=0, keepdims=True) if len(own) else everything.means
            found.append(_Components(everything.shares, mean, everything.covariances))
    most = max(len(components.shares) for components in found)
    shares, centres = np.zeros((len(found), most)), np.zeros((len(found), most, dims))
    factors = np.zeros((len(found), most, dims, dims))
    for label, components in enumerate(found):
        count = len(components.shares)
        shares[label, :count], centres[label, :count] = components.shares, components.means
        factors[label, :count] = np.linalg.cholesky(components.covariances)
    return Mixture(shares.astype(np.float32), centres.astype(np.float32), factors.astype(np.float32))


def _one(means: Floats, variances: Floats) -> _Components:
    """The normal distribution with the aggregate posterior's own mean and covariance, for which no code need be drawn.

    The covariance is that of the means plus the mean of the variances: the law of total variance.
    """
    mean = means.mean(axis=0, keepdims=True)
    covariance = (means - mean).T @ (means - mean) / len(means) + np.diag(variances.mean(axis=0))
    covariance += _regularisation(np.diag(covariance)) * np.eye(len(covariance))
    return _Components(np.ones(1), mean, covariance[None])


def _fitted(means: Floats, variances: Floats, *, most: int, random: np.random.Generator) -> _Components:
    """As many components as give a held-out tenth of the codes the greatest likelihood.

    Dimensions that are not used are N(0, 1) and stay out of it: their noise would count against every component.

    Args:
        means: [n, D], n at least 2 D.
        variances: [n, D].
        most: Components, at most.
        random: Draws codes, the tenth, and where components start.
    """
    with np.errstate(divide="ignore"):  # a plain autoencoder has no variances: its KL is infinite
        kl = 0.5 * (np.square(means) + variances - np.log(variances) - 1.0).mean(axis=0)
    used = np.flatnonzero(kl >= UNUSED)
    rows = random.permutation(len(means))[:MOST_CODES]
    codes = means[rows] + np.sqrt(variances[rows]) * random.standard_normal((len(rows), means.shape[1]))
    held_out, fitted = np.split(codes[:, used], [max(1, len(rows) // 10)])
    start = int(random.integers(2**31))
    candidates, likelihoods = [], []
    for count in COMPONENTS:
        if not len(used) or count > most or count * 2 * len(used) > len(fitted):
            break
        ridge = _regularisation(fitted.var(axis=0))
        mixture = GaussianMixture(count, tol=_TOLERANCE, reg_covar=ridge, max_iter=_ITERATIONS, random_state=start)
        candidates.append(mixture.fit(fitted))
        likelihoods.append(mixture.score(held_out))
        if np.argmax(likelihoods) < len(likelihoods) - 2:
            break  # twice in a row no better: more components fit the codes' noise
    count, dims = COMPONENTS[int(np.argmax(likelihoods))] if likelihoods else 1, means.shape[1]
    if count == 1:
        return _one(means, variances)
    best = candidates[COMPONENTS.index(count)]
    centres, covariances = np.zeros((count, dims)), np.tile(np.eye(dims), (count, 1, 1))
    centres[:, used] = best.means_
    covariances[:, used[:, None], used] = best.covariances_
    return _Components(best.weights_, centres, covariances)


def _regularisation(variances: Floats) -> float:
    """What keeps a covariance positive definite where codes do not fill the space."""
    return max(float(_REGULARISATION * variances.mean()), 1e-12)
