"""Precision, recall, density and coverage: where synthetic images lie among real ones, by nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
ROWS = 1024  # of the matrix of distances that are held at once
Features = NDArray[Any]  # [images, dimensions]


@dataclass(frozen=True)
class Manifold:
    """How a synthetic set overlaps a real one, by balls around images that reach to the k-th neighbour of the same set.

    Attributes:
        precision: Share of synthetic images within a real image's ball (Kynkäänniemi et al. 2019): fidelity.
        recall: Share of real images within a synthetic image's ball: diversity.
        density: Mean number of real images' balls that a synthetic image lies in, over k (Naeem et al. 2020); may exceed 1.
        coverage: Share of real images whose ball holds a synthetic image: diversity, robust to outliers.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(
    real: Features,
    synthetic: Features,
    *,
    neighbours: int = NEIGHBOURS,
    real_radii: NDArray[np.float64] | None = None,
) -> Manifold:
    """Compare two sets of features, as the package `prdc` 0.2 does.

    Args:
        real: [n, D], n above `neighbours`.
        synthetic: [m, D], m above `neighbours`.
        neighbours: k.
        real_radii: `radii` of the real set, where they are known already.

    Raises:
        ValueError: A set has too few images.
    """
    for features in (real, synthetic):
        if len(features) <= neighbours:
            raise ValueError(f"expected more than {neighbours} images, found {len(features)}")
    real, synthetic = real.astype(np.float64), synthetic.astype(np.float64)
    if real_radii is None:
        real_radii = radii(real, neighbours=neighbours)
    synthetic_radii = radii(synthetic, neighbours=neighbours)
    balls = np.zeros(len(synthetic))  # how many real images' balls each synthetic image lies in
    recalled = covered = 0
    for start, distances in squared_distances(real, synthetic):
        row_radii = real_radii[start : start + len(distances)]
        balls += (distances < row_radii[:, None]).sum(axis=0)
        recalled += int((distances < synthetic_radii).any(axis=1).sum())
        covered += int((distances.min(axis=1) < row_radii).sum())
    return Manifold(
        precision=float((balls > 0).mean()),
        recall=recalled / len(real),
        density=float(balls.mean() / neighbours),
        coverage=covered / len(real),
    )


def radii(features: Features, *, neighbours: int = NEIGHBOURS) -> NDArray[np.float64]:
    """Return the squared distance of each row from its k-th nearest other row: [n]."""
    features = features.astype(np.float64)
    parts = [
        # Each row is its own nearest neighbour, at distance 0.
        np.partition(distances, neighbours, axis=1)[:, neighbours]
        for _, distances in squared_distances(features, features)
    ]
    return np.concatenate(parts)


def squared_distances(first: Features, second: Features) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield squared Euclidean distances of `first` from `second`, block by block: the first row's number, and [rows, m]."""
    norms = np.square(second).sum(axis=1)
    for start in range(0, len(first), ROWS):
        rows = first[start : start + ROWS]
        distances = np.square(rows).sum(axis=1)[:, None] + norms - 2.0 * (rows @ second.T)
        yield start, np.maximum(distances, 0.0)  # rounding may make a 0 slightly negative
