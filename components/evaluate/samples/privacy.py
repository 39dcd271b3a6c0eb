"""Whether a model gives its training images away: copies and near copies of them among its new images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from scipy.stats import fisher_exact  # type: ignore[import-untyped]

from components.images.near_copies import (
    LEVEL,
    Batches,
    Images,
    blocks_of,
    distances_of,
    gaps_of,
    near_copies,
    nearest_training,
)
from components.reporting.numbers import rounded

PAIRS = 10
PASSES = 2  # over all training images
DIGITS = 6  # of a distance: beyond them is float32's rounding
HELD = 2**27  # bytes of full-size images of a set that are held at once
LIMITS = (
    "Distances between pixels find copies and near copies, not a person's features or a shifted or recoloured picture; "
    "and as blurred images lie closer to all others, a smaller median alone is no sign of copying."
)


@dataclass(frozen=True)
class Nearest:
    """Of a set's distances to the nearest training image: root mean squared difference per pixel, scale 0 to 1."""

    median: float
    first_percentile: float


@dataclass(frozen=True)
class Pair:
    """A new image and the training image nearest to it, [H, W, C] both; their distance, and numbers within their sets."""

    synthetic: Images
    training: Images
    distance: float
    number: int
    training_number: int


@dataclass(frozen=True)
class Memorisation:
    """How close new images come to training images, beside as many held-out images, which the model never saw."""

    images: int  # of each of both sets
    training: int  # training images
    synthetic: Nearest
    held_out: Nearest
    closer: float  # share of new images that lie closer than the held-out images' median; 0.5 is expected of fresh ones
    exact: int  # new images that equal their nearest training image up to half a grey level in every pixel
    near: int  # new images that are copies or nearly so, exact ones among them
    near_held_out: int  # held-out images that are: the base rate
    pairs: tuple[Pair, ...]  # the ten closest, or as many as there are, closest first

    @property
    def flagged(self) -> bool:
        """Whether near copies are significantly more frequent among new images: seven of many, where no held-out one is."""
        table = [[count, self.images - count] for count in (self.near, self.near_held_out)]
        return bool(fisher_exact(table, alternative="greater").pvalue < 0.01)  # one-sided

    @property
    def verdict(self) -> str:
        """What was found, in a sentence, and what this cannot find, in another."""
        new = f"{self.near:,} of {self.images:,} new images are copies of training images or nearly so ({self.exact:,} exact)"
        found = f"{new}, where {self.near_held_out:,} of {self.images:,} held-out images are that close"
        if self.flagged:
            return f"{found}: this model gives training images away. {LIMITS}"
        # A few exact copies may be blank images, by chance; but beside them nobody should read of no sign at all.
        return f"No {'clear ' if self.exact else ''}sign of memorised images: {found}. {LIMITS}"


def measure_memorisation(synthetic: Batches, *, held_out: Batches, training: Batches) -> Memorisation | str:
    """Compares new images, and as many held-out ones, with all training images; a clause instead where it cannot.

    What a near copy is, `components.images.near_copies` says. A VAE's new images are blurred, and blurred images lie closer to
    everything than sharp ones: a smaller median, or a `closer` above 0.5, is therefore no sign of copying.

    Images are averaged down to `SIDE`: [d] values each. Training images are streamed, three times; of N new and as many
    held-out ones, some 13 matrices [N, d] of float32 are held at the peak: 400 MB for 10,000 of 28 × 28 pixels.
    """
    new, real = (np.concatenate([*blocks_of(each)] or [np.zeros((0, 0), np.float32)]) for each in (synthetic, held_out))
    count = min(len(new), len(real))
    if count == 0:
        return f"there are no {'held-out' if len(new) else 'new'} images"
    images = np.concatenate([new[:count], real[:count]])
    if not np.isfinite(images).all():
        return "some image has values that are not finite numbers"
    numbers, nearest, seen = nearest_training(images, training)
    if seen < 2:
        return "there are fewer than two training images"
    distances = distances_of(images, nearest)
    if np.isinf(gaps := gaps_of(nearest, training, distances)).any():
        return "all training images are the same"
    near, near_held_out = near_copies(distances, gaps).reshape(2, count).sum(axis=1).tolist()
    exact, pairs = _closest(distances[:count], numbers.tolist(), synthetic=synthetic, training=training)
    own, other = (Nearest(*np.percentile(side, (50, 1)).tolist()) for side in distances.reshape(2, count))
    closer = float((distances[:count] < other.median).mean())
    return Memorisation(count, seen, own, other, closer, exact, near, near_held_out, tuple(pairs))


def document(found: Memorisation | str) -> dict[str, Any]:
    """What ``metrics.json`` holds of it: no images."""
    if isinstance(found, str):
        return {"left_out": found}
    sides = {name: _rounded(vars(getattr(found, name))) for name in ("synthetic", "held_out")}
    pairs = [_rounded(vars(pair)) for pair in found.pairs]
    return {**_rounded(vars(found)), **sides, "pairs": pairs, "flagged": found.flagged, "verdict": found.verdict}


def _rounded(of: dict[str, Any]) -> dict[str, Any]:
    return {k: rounded(v) if isinstance(v, float) else v for k, v in of.items() if not isinstance(v, np.ndarray)}


def _closest(distances: Images, numbers: list[int], *, synthetic: Batches, training: Batches) -> tuple[int, list[Pair]]:
    """How many new images equal their nearest training image at full size, as only reduced ones so close can; closest pairs."""
    rounded = np.round(distances, DIGITS)  # what differs by rounding alone is the same: numbers decide, on any machine
    candidates = int((rounded < LEVEL + 10.0**-DIGITS).sum())
    order = np.argsort(rounded, kind="stable")[: max(PAIRS, candidates)].tolist()
    step = max(PAIRS, HELD // next(synthetic())[0].nbytes)
    exact, pairs = 0, list[Pair]()
    for start in range(0, len(order), step):
        chosen = {number: numbers[number] for number in order[start : start + step]}
        new, old = _chosen(synthetic, set(chosen)), _chosen(training, set(chosen.values()))
        found = [Pair(new[i], old[t], float(distances[i]), i, t) for i, t in chosen.items()]
        exact += sum(bool(np.abs(pair.synthetic - pair.training).max() < LEVEL) for pair in found)
        pairs = pairs or found[:PAIRS]
    return exact, pairs


def _chosen(batches: Batches, numbers: set[int]) -> dict[int, Images]:
    """Images [H, W, C] by their numbers within a set."""
    images = islice(chain.from_iterable(batches()), max(numbers) + 1)
    return {number: image.copy() for number, image in enumerate(images) if number in numbers}
