"""Distances between synthetic and real images, beside distances between two sets of real images. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.kid import Interval, kernel_distance
from components.evaluate.samples.neighbours import NEIGHBOURS, Manifold, manifold, radii
from components.reporting.numbers import rounded

SAME = 1e-5  # a range of features, relative to the largest: below it they differ by rounding alone
NOT_FINITE = "the features of some image are not finite numbers"


@dataclass(frozen=True)
class Comparison:
    """Distances of a set of images from the test images, in a feature space.

    Attributes:
        frechet: See `components.evaluate.samples.frechet`.
        kernel: See `components.evaluate.samples.kid`.
        manifold: See `components.evaluate.samples.neighbours`; its real images are the test images.
    """

    frechet: float
    kernel: Interval
    manifold: Manifold


@dataclass(frozen=True)
class Distances:
    """Distances in one feature space, between sets of the same size.

    Attributes:
        space: The feature space.
        images: Number of images in each set.
        synthetic: Distances of new images.
        floor: Distances of other real images, which are as real as test images: the best a model can expect.
        floor_split: The split that these are of: validation, or train where there are too few.
    """

    space: FeatureSpace
    images: int
    synthetic: Comparison
    floor: Comparison
    floor_split: str

    @property
    def others(self) -> str:
        """What the other real images are, for a reader."""
        return f"{'training' if self.floor_split == 'train' else self.floor_split} images"


@dataclass(frozen=True)
class Compared:
    """Distances in all feature spaces.

    Attributes:
        distances: One for each space in which sets could be compared.
        left_out: Names of the other spaces, and the reason, as a clause.
    """

    distances: tuple[Distances, ...]
    left_out: dict[str, str]


def compare(
    spaces: Sequence[FeatureSpace],
    *,
    test: Sequence[NDArray[np.float32]],
    others: Sequence[NDArray[np.float32]],
    synthetic: Sequence[NDArray[np.float32]],
    floor_split: str,
    seed: int,
) -> Compared:
    """Compare new images and other real images with test images, in each feature space.

    Args:
        spaces: The feature spaces.
        test: Features of test images, [N, D] for each space.
        others: Features of the same number of other real images.
        synthetic: Features of the same number of new images.
        floor_split: The split of these; best one that no network was trained on, or a classifier's floor is too high.
        seed: Seed of the kernel distance's blocks.
    """
    distances, left_out = [], {}
    for space, real, other, new in zip(spaces, test, others, synthetic, strict=True):
        if not all(np.isfinite(features).all() for features in (real, other, new)):
            left_out[space.name] = NOT_FINITE
        elif np.ptp(real, axis=0).max() <= SAME * np.abs(real).max():
            left_out[space.name] = "all test images have the same features"
        else:
            real_radii = radii(real)  # computed once for both
            beside, floor = (_compare(real, images, real_radii=real_radii, seed=seed) for images in (new, other))
            distances.append(Distances(space, len(real), synthetic=beside, floor=floor, floor_split=floor_split))
    return Compared(tuple(distances), left_out)


def _compare(real: NDArray[Any], other: NDArray[Any], *, real_radii: NDArray[np.float64], seed: int) -> Comparison:
    return Comparison(
        frechet=frechet_distance(real, other),
        kernel=kernel_distance(real, other, seed=seed),
        manifold=manifold(real, other, real_radii=real_radii),
    )


def document(compared: Compared | str) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of the distances, or of the reason that they are left out."""
    if isinstance(compared, str):
        return {"left_out": compared}
    return {
        **{
            distances.space.name: {
                "space": distances.space.doc,
                "network_sha256": distances.space.digest,
                "images": distances.images,
                "neighbours": NEIGHBOURS,
                "synthetic": _rounded(distances.synthetic),
                "floor": _rounded(distances.floor),
                "doc": f"Synthetic: new images beside test images. Floor: {distances.others} beside the same test images. "
                "frechet and kernel: 0 is the same distribution. precision, recall, coverage: shares; density may exceed 1.",
            }
            for distances in compared.distances
        },
        **{name: {"left_out": why} for name, why in compared.left_out.items()},
    }


def _rounded(comparison: Comparison) -> dict[str, Any]:
    return {
        "frechet": rounded(comparison.frechet),
        "kernel": {name: rounded(value) for name, value in asdict(comparison.kernel).items()},
        **{name: rounded(value) for name, value in asdict(comparison.manifold).items()},
    }
