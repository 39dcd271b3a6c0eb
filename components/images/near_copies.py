"""Near copies of training images: which images are near copies, and how far from the original, with NumPy alone.

Training images are streamed, so any number of them can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels of the longer side when images are compared: few, so that noise or a small shift hides no copy
NEAR = 0.5  # share of the distance to the next training image; for the mean image this share is about 1/√2
LEVEL = 1.0001 * 0.5 / 255  # half a grey level, and a little for rounding: images no farther apart are the same
ROUGH = 1e-3  # error of a squared distance that was computed as a difference of large float32 numbers
BLOCK = 256  # training images that all others are compared with at once

Images = NDArray[np.float32]
Batches = Callable[[], Iterator[Images]]  # batches [B, H, W, C], scale 0 to 1; each call yields the same images


def near_copies(distances: Images, gaps: Images) -> NDArray[np.bool_]:
    """Return which images are near copies: [n].

    Let t be the training image nearest to an image s, and u the training image nearest to t, apart from duplicates of t.
    Then s is a near copy if its distance from t is less than `NEAR` times the distance of u from t, or at most half a grey
    level. Related: authenticity (Alaa et al. 2022, "How Faithful is your Synthetic Data?"); Carlini et al. 2023, "Extracting
    Training Data from Diffusion Models", compare with neighbours too.

    Args:
        distances: From each image s to t: [n].
        gaps: From t to u: [n].
    """
    near: NDArray[np.bool_] = (distances < LEVEL) | (distances < NEAR * gaps)
    return near


def nearest_training(images: Images, training: Batches) -> tuple[NDArray[np.int64], Images, int]:
    """Find the training image nearest to each row of [n, d].

    Returns:
        The numbers of the nearest training images [n], these images [n, d], and how many training images there are.
    """
    best, numbers, nearest = np.full(len(images), np.inf), np.zeros(len(images), np.int64), np.zeros_like(images)
    count = 0
    for block in blocks_of(training):
        rough = _rough_squares(images, block)
        columns = rough.argmin(axis=1)
        # Candidates are compared by exact distances; otherwise rounding could prefer a duplicate of the nearest image.
        candidates = np.flatnonzero(rough.min(axis=1) < best + ROUGH)
        distances = distances_of(images[candidates], block[columns[candidates]])
        squares = np.square(distances, dtype=np.float64) * images.shape[1]
        nearer = squares < best[candidates]
        better = candidates[nearer]
        best[better] = squares[nearer]
        numbers[better], nearest[better] = count + columns[better], block[columns[better]]
        count += len(block)
    return numbers, nearest, count


def gaps_of(nearest: Images, training: Batches, distances: Images) -> Images:
    """Return the distance from each row of [n, d] to the next training image: [n].

    The search for a row ends at any training image so close that `distances` [n] are no longer near.
    """
    gaps = np.full(len(nearest), np.inf, np.float32)
    for block in blocks_of(training):
        open_rows = np.flatnonzero(distances < NEAR * gaps)  # few after the first block, as gaps can only shrink
        images = nearest[open_rows]
        rough = _rough_squares(images, block)
        rough[rough < LEVEL**2 * images.shape[1]] = np.inf  # the image itself, and its duplicates
        closest = block[rough.argmin(axis=1)]
        block_gaps = np.where(np.isinf(rough.min(axis=1)), np.inf, distances_of(images, closest))
        gaps[open_rows] = np.minimum(gaps[open_rows], block_gaps)
    return gaps


def _rough_squares(images: Images, block: Images) -> Images:
    """Return squared distances of [n, d] to [m, d], good enough to choose by, but too rough to report: [n, m]."""
    squared: Images = images @ (-2.0 * block.T)
    squared += np.einsum("md,md->m", block, block)
    squared += np.einsum("nd,nd->n", images, images)[:, None]
    return squared


def distances_of(first: Images, second: Images) -> Images:
    """Return the root mean squared difference of each row of [n, d] to the same row of the other: [n]."""
    difference = first - second
    distances: Images = np.sqrt(np.einsum("nd,nd->n", difference, difference) / difference.shape[1])
    return distances


def blocks_of(batches: Batches) -> Iterator[Images]:
    """Yield shrunk images in blocks of `BLOCK`, for any batch size, because rounding depends on the size: [m, d]."""
    images = chain.from_iterable(map(_shrink, batches()))
    while rows := list(islice(images, BLOCK)):
        yield np.stack(rows)


def _shrink(images: Images) -> Images:
    """Average equal areas, so that the longer side has at most `SIDE` pixels: [B, H, W, C] to [B, d].

    0.5 is subtracted, so that norms are small.
    """
    longer_side = max(images.shape[1:3])
    for axis, side in enumerate(images.shape[1:3] if longer_side > SIDE else (), start=1):
        parts, starts = max(1, round(side * SIDE / longer_side)), np.arange(side)
        edges = np.linspace(0, side, parts + 1)[:, None]
        weights = np.maximum(np.minimum(edges[1:], starts + 1) - np.maximum(edges[:-1], starts), 0) * parts / side
        images = np.moveaxis(np.tensordot(weights.astype(np.float32), images, axes=(1, axis)), 0, axis)
    return images.reshape(len(images), -1).astype(np.float32) - np.float32(0.5)
