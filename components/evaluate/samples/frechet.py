"""The Fréchet distance between two sets of features, each described by a Gaussian; of Inception's features it is the FID."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[Any]  # [images, dimensions]


def frechet_distance(first: Features, second: Features) -> float:
    """Return ``|μ₁ - μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)``: Dowson & Landau 1982; Heusel et al. 2017, equation 6.

    It is biased: it falls with more images, so compare sets of the same size.

    Args:
        first: [n, D], n at least 2.
        second: [m, D], m at least 2.
    """
    means = [np.mean(features, axis=0, dtype=np.float64) for features in (first, second)]
    one, other = (np.atleast_2d(np.cov(features.astype(np.float64), rowvar=False)) for features in (first, second))
    # The product's eigenvalues are those of Σ₁^½ Σ₂ Σ₁^½, which is symmetric: no complex square roots, and no inverse.
    root = _root(one)
    eigenvalues = np.linalg.eigvalsh(root @ other @ root)
    cross = np.sqrt(np.maximum(eigenvalues, 0.0)).sum()
    distance = np.square(means[0] - means[1]).sum() + np.trace(one) + np.trace(other) - 2.0 * cross
    return float(max(distance, 0.0))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
