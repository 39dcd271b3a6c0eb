"""How far synthetic images are from real ones, beside how far real ones are from each other. Loads TensorFlow."""

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

SAME = 1e-5  # of features, beside the largest of them: only rounding differs
NOT_FINITE = "the features of some image are not finite numbers"


@dataclass(frozen=True)
class Comparison:
    """A set of images beside the test images, in a feature space.

    Attributes:
        frechet: See `components.evaluate.samples.frechet`.
        kernel: See `components.evaluate.samples.kid`.
        manifold: See `components.evaluate.samples.neighbours`; the test images are the real ones.
    """

    frechet: float
    kernel: Interval
    manifold: Manifold


@dataclass(frozen=True)
class Distances:
    """In one feature space, all at the same number of images.

    Attributes:
        space: Which.
        images: Of each set.
        synthetic: Of new images.
        floor: Of training images, which are as real as the test images: nobody can expect less.
    """

    space: FeatureSpace
    images: int
    synthetic: Comparison
    floor: Comparison


@dataclass(frozen=True)
class Compared:
    """New images beside test images, in every feature space that there is.

    Attributes:
        found: One for each space.
        left_out: Names of spaces, and why there is nothing in them, as a clause.
    """

    found: tuple[Distances, ...]
    left_out: dict[str, str]


def compare(
    spaces: Sequence[FeatureSpace],
    *,
    test: Sequence[NDArray[np.float32]],
    training: Sequence[NDArray[np.float32]],
    synthetic: Sequence[NDArray[np.float32]],
    seed: int,
) -> Compared:
    """Compares new images with test images, in each of some feature spaces.

    Args:
        spaces: Where they are compared.
        test: Features of test images, [N, D] for each space.
        training: Of as many training images.
        synthetic: Of as many new images.
        seed: Of the kernel distance's blocks.
    """
    found, left_out = [], {}
    for space, real, other, new in zip(spaces, test, training, synthetic, strict=True):
        if not all(np.isfinite(features).all() for features in (real, other, new)):
            left_out[space.name] = NOT_FINITE
        elif np.ptp(real, axis=0).max() <= SAME * np.abs(real).max():
            left_out[space.name] = "all test images have the same features"
        else:
            own = radii(real)  # once for both
            beside, floor = (_compare(real, images, real_radii=own, seed=seed) for images in (new, other))
            found.append(Distances(space, len(real), synthetic=beside, floor=floor))
    return Compared(tuple(found), left_out)


def _compare(real: NDArray[Any], other: NDArray[Any], *, real_radii: NDArray[np.float64], seed: int) -> Comparison:
    return Comparison(
        frechet=frechet_distance(real, other),
        kernel=kernel_distance(real, other, seed=seed),
        manifold=manifold(real, other, real_radii=real_radii),
    )


def document(compared: Compared | str) -> dict[str, Any]:
    """What ``metrics.json`` holds of them."""
    if isinstance(compared, str):
        return {"left_out": compared}
    return {
        **{
            found.space.name: {
                "space": found.space.doc,
                "network_sha256": found.space.digest,
                "images": found.images,
                "neighbours": NEIGHBOURS,
                **{name: _rounded(getattr(found, name)) for name in ("synthetic", "floor")},
                "doc": "Synthetic: new images beside test images. Floor: training images beside the same test images. "
                "frechet and kernel: 0 is the same distribution. precision, recall, coverage: shares; density may exceed 1.",
            }
            for found in compared.found
        },
        **{name: {"left_out": why} for name, why in compared.left_out.items()},
    }


def _rounded(comparison: Comparison) -> dict[str, Any]:
    def short(value: float | None) -> float | None:
        return None if value is None else rounded(value)

    return {
        "frechet": short(comparison.frechet),
        "kernel": {name: short(value) for name, value in asdict(comparison.kernel).items()},
        **{name: short(value) for name, value in asdict(comparison.manifold).items()},
    }
