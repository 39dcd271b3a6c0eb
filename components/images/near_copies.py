"""Near copies of training images: which they are, and how far they lie. On NumPy, with training images streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels, longer side, when images are compared: noise, or a shift by a pixel of a large image, hides no copy then
NEAR = 0.5  # of the way to the next training image; an image of only what all have in common comes to about 1/√2
LEVEL = 1.0001 * 0.5 / 255  # half a grey level, and a little for rounding: images no farther apart are the same
ROUGH = 1e-3  # of a squared distance that is a difference of large numbers, in float32
BLOCK = 256  # training images that all others are compared with at once

Images = NDArray[np.float32]
Batches = Callable[[], Iterator[Images]]  # batches [B, H, W, C], scale 0 to 1; begun anew, the same images again


def near_copies(distances: Images, gaps: Images) -> NDArray[np.bool_]:
    """Which images are near copies, by their distances to the nearest training image and that one's to the next: [n].

    With t the training image nearest to s, s is a near copy if it is less than `NEAR` times as far from t as the next
    training image is, duplicates of t left aside; or no farther than half a grey level. Related: authenticity (Alaa et al.
    2022, "How Faithful is your Synthetic Data?"); Carlini et al. 2023, "Extracting Training Data from Diffusion Models",
    compare with neighbours, too.
    """
    found: NDArray[np.bool_] = (distances < LEVEL) | (distances < NEAR * gaps)
    return found


def nearest_training(images: Images, training: Batches) -> tuple[NDArray[np.int64], Images, int]:
    """Of each row of [n, d] the nearest training image: its number [n], and itself [n, d]. And how many there are."""
    best, numbers, nearest = np.full(len(images), np.inf), np.zeros(len(images), np.int64), np.zeros_like(images)
    seen = 0
    for block in blocks_of(training):
        squared = _squared(images, block)
        columns, found = squared.argmin(axis=1), squared.min(axis=1)
        # By what is not rough: else a duplicate of the nearest one would be nearer as rounding has it.
        maybe = np.flatnonzero(found < best + ROUGH)
        distances = distances_of(images[maybe], block[columns[maybe]])
        found = np.square(distances, dtype=np.float64) * images.shape[1]
        nearer = found < best[maybe]
        better = maybe[nearer]
        best[better] = found[nearer]
        numbers[better], nearest[better] = seen + columns[better], block[columns[better]]
        seen += len(block)
    return numbers, nearest, seen


def gaps_of(nearest: Images, training: Batches, distances: Images) -> Images:
    """From each row of [n, d] to the next training image, or to any so close that `distances` [n] are not near: [n]."""
    gaps = np.full(len(nearest), np.inf, np.float32)
    for block in blocks_of(training):
        waiting = np.flatnonzero(distances < NEAR * gaps)  # few after the first block, as gaps can only shrink
        ours = nearest[waiting]
        squared = _squared(ours, block)
        squared[squared < LEVEL**2 * ours.shape[1]] = np.inf  # the image itself, and its duplicates
        found = np.where(np.isinf(squared.min(axis=1)), np.inf, distances_of(ours, block[squared.argmin(axis=1)]))
        gaps[waiting] = np.minimum(gaps[waiting], found)
    return gaps


def _squared(images: Images, block: Images) -> Images:
    """Squared distances of [n, d] to [m, d], to choose by; too rough to report, being differences of large numbers: [n, m]."""
    squared: Images = images @ (-2.0 * block.T)
    squared += np.einsum("md,md->m", block, block)
    squared += np.einsum("nd,nd->n", images, images)[:, None]
    return squared


def distances_of(first: Images, second: Images) -> Images:
    """Root mean squared difference of each row of [n, d] to the same row of the other: [n]."""
    difference = first - second
    found: Images = np.sqrt(np.einsum("nd,nd->n", difference, difference) / difference.shape[1])
    return found


def blocks_of(batches: Batches) -> Iterator[Images]:
    """Reduced images, so many at once whatever the batches' size, as rounding depends on it: [m, d], m `BLOCK` at most."""
    images = chain.from_iterable(map(_shrunk, batches()))
    while rows := list(islice(images, BLOCK)):
        yield np.stack(rows)


def _shrunk(images: Images) -> Images:
    """Averages equal areas, until the longer side is `SIDE` at most: [B, H, W, C] to [B, d], less 0.5, for small norms."""
    longest = max(images.shape[1:3])
    for axis, side in enumerate(images.shape[1:3] if longest > SIDE else (), start=1):
        parts, left = max(1, round(side * SIDE / longest)), np.arange(side)
        edges = np.linspace(0, side, parts + 1)[:, None]
        weights = np.maximum(np.minimum(edges[1:], left + 1) - np.maximum(edges[:-1], left), 0) * parts / side
        images = np.moveaxis(np.tensordot(weights.astype(np.float32), images, axes=(1, axis)), 0, axis)
    return images.reshape(len(images), -1).astype(np.float32) - np.float32(0.5)
