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
    one, other = (features.astype(np.float64) for features in (first, second))
    means = [features.mean(axis=0) for features in (one, other)]
    one, other = (
        (features - mean) / np.sqrt(len(features) - 1) for features, mean in zip((one, other), means, strict=True)
    )
    traces = np.square(one).sum() + np.square(other).sum()
    distance = np.square(means[0] - means[1]).sum() + traces - 2.0 * _trace_of_root(one, other)
    return float(max(distance, 0.0))


def _trace_of_root(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return ``Tr((Σ₁ Σ₂)^½)`` for ``Σ₁ = one' · one`` and ``Σ₂ = other' · other``, in the smaller of two spaces.

    The product's eigenvalues are those of Σ₁^½ Σ₂ Σ₁^½, which is symmetric: no complex square roots, and no inverse. They are
    also the squared singular values of ``one · other'``.
    """
    if min(len(one), len(other)) < one.shape[1]:
        return float(np.linalg.svd(one @ other.T, compute_uv=False).sum())
    root = _root(one.T @ one)
    eigenvalues = np.linalg.eigvalsh(root @ (other.T @ other) @ root)
    return float(np.sqrt(np.maximum(eigenvalues, 0.0)).sum())


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
