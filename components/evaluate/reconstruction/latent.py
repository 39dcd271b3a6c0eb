"""How a model uses its latent space: KL per dimension, how far all codes are from the prior, how smooth the space is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.reporting.numbers import rounded

STEPS = 32  # between two codes
SAME = 1e-5  # root mean squared difference per pixel, scale 0 to 1: closer images differ by rounding alone


class AggregatePosterior:
    """The distribution of all images' codes, ``q(z) = 1/N Σ_n q(z|x_n)``, by its first two moments."""

    def __init__(self, latent_dim: int) -> None:
        self.count = 0
        self.sum = np.zeros(latent_dim)
        self.outer = np.zeros((latent_dim, latent_dim))
        self.variance = np.zeros(latent_dim)
        self.kl = np.zeros(latent_dim)

    def add(self, mean: NDArray[Any], log_variance: NDArray[Any]) -> None:
        """Add the posteriors of a batch: [B, D] each."""
        mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
        self.count += len(mean)
        self.sum += mean.sum(axis=0)
        self.outer += mean.T @ mean
        self.variance += np.exp(log_variance).sum(axis=0)
        self.kl += 0.5 * (np.exp(log_variance) + mean**2 - 1.0 - log_variance).sum(axis=0)

    @property
    def kl_per_dimension(self) -> NDArray[np.float64]:
        """Mean KL of the posteriors from N(0, 1), nats: [D]."""
        return self.kl / self.count

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of q(z): that of the means, plus the mean variance: [D, D]."""
        mean = self.sum / self.count
        covariance: NDArray[np.float64] = (
            self.outer / self.count - np.outer(mean, mean) + np.diag(self.variance / self.count)
        )
        return covariance

    @property
    def gap(self) -> float:
        """KL of the Gaussian with q(z)'s moments from N(0, I), nats: what a prior of that shape would gain at least.

        ``½ (tr S + m·m - D - log det S)``. It is part of every image's KL (Hoffman & Johnson 2016, "ELBO surgery"). Where it
        is large, codes from N(0, I) lie where the decoder was hardly trained.

        It is infinite where all codes lie in fewer dimensions than there are.
        """
        mean, covariance = self.sum / self.count, self.covariance
        sign, log_determinant = np.linalg.slogdet(covariance)
        if sign <= 0:  # rounding may make a determinant of 0 slightly negative
            return float("inf")
        return float(0.5 * (np.trace(covariance) + mean @ mean - len(mean) - log_determinant))


@dataclass(frozen=True)
class Smoothness:
    """How evenly images change along straight lines between pairs of codes.

    Attributes:
        length: Length of the way in pixel space over the distance of its ends, median over pairs; 1: a straight line.
        largest_step: The largest of 32 steps over the mean one, median over pairs; 1: equal steps, 32: one jump.
    """

    length: float
    largest_step: float


def smoothness(decode: Callable[[Any], NDArray[Any]], codes: Sequence[NDArray[Any]]) -> Smoothness | None:
    """Measure how evenly images change along the straight line between the codes of each pair.

    Args:
        decode: Maps codes [B, D] to images [B, H, W, C].
        codes: [n, D]; the first two are a pair, then the next two, and so on.

    Returns:
        None with fewer than two codes, or where both ends of every line look the same; see `document`.
    """
    shares = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
    lengths, largest_steps = [], []
    for first, second in zip(codes[::2], codes[1::2], strict=False):
        images = np.asarray(decode(((1.0 - shares) * first + shares * second).astype(np.float32)), np.float64)
        flat = images.reshape(STEPS + 1, -1)
        steps = np.linalg.norm(np.diff(flat, axis=0), axis=1)
        distance = np.linalg.norm(flat[-1] - flat[0])
        if distance > SAME * np.sqrt(flat.shape[1]) and np.isfinite(steps).all():
            lengths.append(steps.sum() / distance)
            largest_steps.append(steps.max() / steps.mean())
    return Smoothness(float(np.median(lengths)), float(np.median(largest_steps))) if lengths else None


def document(result: Smoothness | None, *, codes: int) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of the smoothness; `codes` is the number of codes."""
    if result is None:
        reason = f"it takes the codes of two test images, and there {'is' if codes == 1 else 'are'} {codes}"
        return {"left_out": reason if codes < 2 else "the images at both ends of every way look the same"}
    return {name: rounded(value) for name, value in asdict(result).items()}
