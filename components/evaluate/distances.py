"""How far synthetic images are from real ones, beside how far real ones are from each other. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.dataset import batches, read_statistics, readable
from components.evaluate.features import FeatureSpace, random_space
from components.evaluate.frechet import frechet_distance
from components.evaluate.kid import Interval, kernel_distance
from components.evaluate.measure import SPLIT, batch_size
from components.evaluate.neighbours import NEIGHBOURS, Manifold, manifold, radii
from components.evaluate.new_images import new_images
from models.vae import VAE
from schemas.artifacts import Examples


@dataclass(frozen=True)
class Comparison:
    """A set of images beside the test images, in a feature space.

    Attributes:
        frechet: See `components.evaluate.frechet`.
        kernel: See `components.evaluate.kid`.
        manifold: See `components.evaluate.neighbours`; the test images are the real ones.
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


def measure_distances(
    vae: VAE, *, examples: Examples, seed: int, most: int, progress: Callable[[int], None] = lambda done: None
) -> Distances | str:
    """Compares new images with test images, in the space of random features.

    Args:
        vae: The model; new images are of codes from N(0, I).
        examples: Their test and training images.
        seed: Of the new images; image i depends on (seed, i) alone.
        most: Images of each set, at most; fewer where a split has fewer.
        progress: Told how many images' features are done, of three sets together.

    Returns:
        The distances, or why there are none, as a clause.
    """
    statistics = read_statistics(examples)
    count = min(most, statistics.records[SPLIT], statistics.records["train"])
    if not vae.variational:
        return "a plain autoencoder has no distribution to draw new images from"
    if count <= NEIGHBOURS:
        return f"distances need more than {NEIGHBOURS} test and training images, and there are {count}"
    space = random_space(vae.image_shape)
    done = 0

    def told(found: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        nonlocal done
        for images in found:
            yield images
            done += len(images)
            progress(done)

    with readable(examples):
        real, other = (
            space.features(told(_real(vae, examples, split=split, count=count))) for split in (SPLIT, "train")
        )
    synthetic = space.features(told(new_images(vae, count=count, seed=seed)))
    if not all(np.isfinite(features).all() for features in (real, other, synthetic)):
        return "the features of some image are not finite numbers"
    if np.ptp(real, axis=0).max() == 0:
        return "all test images are the same"
    own = radii(real)  # once for both
    return Distances(
        space,
        count,
        synthetic=_compare(real, synthetic, real_radii=own, seed=seed),
        floor=_compare(real, other, real_radii=own, seed=seed),
    )


def _compare(real: NDArray[Any], other: NDArray[Any], *, real_radii: NDArray[np.float64], seed: int) -> Comparison:
    return Comparison(
        frechet=frechet_distance(real, other),
        kernel=kernel_distance(real, other, seed=seed),
        manifold=manifold(real, other, real_radii=real_radii),
    )


def _real(vae: VAE, examples: Examples, *, split: str, count: int) -> Iterator[NDArray[Any]]:
    """Batches of images as the network sees them, scale 0 to 1."""
    statistics = read_statistics(examples)
    size = batch_size(statistics.stored_height, statistics.stored_width)
    for pixels in batches(examples, split, batch_size=size, limit=count):
        yield np.asarray(vae.crop(pixels, random=False), np.float32) / 255.0


def document(distances: Distances | str) -> dict[str, Any]:
    """What ``metrics.json`` holds of them."""
    if isinstance(distances, str):
        return {"left_out": distances}
    return {
        distances.space.name: {
            "space": distances.space.doc,
            "network_sha256": distances.space.digest,
            "images": distances.images,
            "neighbours": NEIGHBOURS,
            **{name: _rounded(getattr(distances, name)) for name in ("synthetic", "floor")},
            "doc": "Synthetic: new images beside test images. Floor: training images beside the same test images. "
            "frechet and kernel: 0 is the same distribution. precision, recall, coverage: shares; density may exceed 1.",
        }
    }


def _rounded(comparison: Comparison) -> dict[str, Any]:
    def short(value: float | None) -> float | None:
        return None if value is None else float(f"{value:.6g}")

    return {
        "frechet": short(comparison.frechet),
        "kernel": {name: short(value) for name, value in asdict(comparison.kernel).items()},
        **{name: short(value) for name, value in asdict(comparison.manifold).items()},
    }
