"""The sliced Wasserstein distance between patches of two sets of images, at each level of a Laplacian pyramid.

It sees what is lost in fine detail, such as by blur, without a network: Karras et al. 2018, "Progressive Growing of GANs",
section 5, and its published code. It differs from theirs in one point: both sets are scaled by the real one's means and
deviations, where theirs are scaled each by its own, which hides that detail is too weak.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

SIDE = 7  # pixels of a patch
SMALLEST = 14  # pixels of the shorter side, of the last level at least: two patches
PATCHES = 16  # of an image, at each level
DIRECTIONS = 64  # on which patches are projected
SEED = 20260102  # of places and directions: a constant, so that distances can be compared between runs
_BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0], np.float32) / 16.0  # Burt & Adelson 1983
_TINY = 1e-6

Images = NDArray[np.float32]  # [B, H, W, C], scale 0 to 1
Patches = NDArray[np.float32]  # [n, patches, side · side, C], of one level


def patches_of(images: Images, *, start: int) -> tuple[Patches, ...]:
    """Return patches of each level, from the finest, at random places: the same ones in image i of every set.

    Args:
        images: A batch of images.
        start: The first one's number in its set.
    """
    return tuple(_cut(band, level, start=start) for level, band in enumerate(laplacian_pyramid(images)))


def sliced_wasserstein(real: Patches, other: Patches) -> float:
    """Return the distance of two sets of patches of one level; 0 is the same distribution.

    The unit is the standard deviation of the real set's patches. It is the mean over random directions of the
    one-dimensional Wasserstein distance: Rabin et al. 2012, "Wasserstein Barycenter", equation 2.

    Args:
        real: [n, patches, side · side, C].
        other: Of the same shape.

    Raises:
        ValueError: The sets differ in shape.
    """
    if real.shape != other.shape:
        raise ValueError(f"expected patches of shape {real.shape}, found {other.shape}")
    axes = (0, 1, 2)
    centre = real.mean(axis=axes, dtype=np.float64).astype(np.float32)
    scale = np.maximum(real.std(axis=axes, dtype=np.float64), _TINY).astype(np.float32)
    dimensions = real.shape[2] * real.shape[3]
    one, two = (((patches - centre) / scale).reshape(-1, dimensions) for patches in (real, other))
    directions = np.random.default_rng(SEED).standard_normal((DIRECTIONS, dimensions)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = [np.abs(np.sort(one @ way) - np.sort(two @ way)).mean(dtype=np.float64) for way in directions]
    return float(np.mean(distances))


def laplacian_pyramid(images: Images) -> Iterator[Images]:
    """Yield bands of detail, each of half the size of the one before, and at last the image that remains."""
    while min(images.shape[1:3]) >= 2 * SMALLEST:
        coarse = _smoothed(images)[:, ::2, ::2]
        yield images - _enlarged(coarse, images.shape[1:3])
        images = coarse
    yield images


def _smoothed(images: Images) -> Images:
    rows: Images = convolve1d(images, _BINOMIAL, axis=1, mode="mirror")
    smoothed: Images = convolve1d(rows, _BINOMIAL, axis=2, mode="mirror")
    return smoothed


def _enlarged(coarse: Images, size: tuple[int, ...]) -> Images:
    """Return images in twice the size, less a row or a column where the size is odd."""
    sparse = np.zeros((len(coarse), *size, coarse.shape[3]), np.float32)
    sparse[:, ::2, ::2] = coarse
    return 4.0 * _smoothed(sparse)


def _cut(band: Images, level: int, *, start: int) -> Patches:
    """Return patches of a band at random places: [B, patches, side · side, C]."""
    count, height, width, channels = band.shape
    tall, wide = min(SIDE, height), min(SIDE, width)
    # The images before are drawn, too, so that places do not depend on the batches.
    top, left = (
        np.random.default_rng((SEED, level, axis)).integers(0, last + 1, (start + count, PATCHES, 1, 1))[start:]
        for axis, last in enumerate((height - tall, width - wide))
    )
    rows, columns = top + np.arange(tall)[:, None], left + np.arange(wide)
    patches = band[np.arange(count)[:, None, None, None], rows, columns]
    return patches.reshape(count, PATCHES, tall * wide, channels)
