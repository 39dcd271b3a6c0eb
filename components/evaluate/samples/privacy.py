"""Whether a model reproduces its training images: copies and near copies of them among its new images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

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

PAIRS = 10  # closest pairs that are shown
PASSES = 2  # over all training images
DIGITS = 6  # of a distance: further ones are rounding of float32
MAX_BYTES = 2**27  # of full-size images of a set that are held at once
LIMITS = (
    "Distances between pixels find copies and near copies, not a person's features or a shifted or recoloured picture; "
    "and as blurred images lie closer to all others, a smaller median alone is no sign of copying."
)


@dataclass(frozen=True)
class Nearest:
    """A set's distances from the nearest training image: root mean squared difference per pixel, scale 0 to 1."""

    median: float
    first_percentile: float


@dataclass(frozen=True)
class Pair:
    """A new image and the training image nearest to it, [H, W, C] each; their distance, and numbers within their sets."""

    synthetic: Images
    training: Images
    distance: float
    number: int
    training_number: int


@dataclass(frozen=True)
class Memorisation:
    """How close new images come to training images, compared with the same number of held-out images."""

    images: int  # of each of both sets
    training: int  # training images
    synthetic: Nearest
    held_out: Nearest
    closer: (
        float  # share of new images that are closer than the held-out images' median; 0.5 is expected without copying
    )
    exact: int  # new images that equal their nearest training image up to half a grey level in every pixel
    near: int  # new images that are copies or near copies, exact ones included
    near_held_out: int  # held-out images that are copies or near copies: the base rate
    pairs: tuple[Pair, ...]  # the ten closest, or as many as there are, closest first

    @property
    def flagged(self) -> bool:
        """Whether near copies are significantly more frequent among new images: 7 of many, where no held-out image is one."""
        table = [[count, self.images - count] for count in (self.near, self.near_held_out)]
        return bool(fisher_exact(table, alternative="greater").pvalue < 0.01)  # one-sided

    @property
    def verdict(self) -> str:
        """The result in a sentence, and the limits of the method in another."""
        copies = f"{self.near:,} of {self.images:,} new images are copies of training images or nearly so ({self.exact:,} exact)"
        result = f"{copies}, where {self.near_held_out:,} of {self.images:,} held-out images are that close"
        if self.flagged:
            return f"{result}: this model gives training images away. {LIMITS}"
        # A few exact copies may be blank images by chance, but "no sign" would be wrong beside them.
        return f"No {'clear ' if self.exact else ''}sign of memorised images: {result}. {LIMITS}"


def measure_memorisation(synthetic: Batches, *, held_out: Batches, training: Batches) -> Memorisation | str:
    """Compare new images, and the same number of held-out images, with all training images.

    `components.images.near_copies` defines a near copy. A VAE's new images are blurred, and blurred images are closer to
    everything than sharp ones. A smaller median, or a `closer` above 0.5, is therefore no sign of copying.

    Images are averaged down to `SIDE`: [d] values each. Training images are streamed three times. For N new and N held-out
    images, about 13 matrices [N, d] of float32 are held at the peak: 400 MB for 10,000 images of 28 × 28 pixels.

    Returns:
        The comparison; or why there is none, as a clause.
    """
    new, real = (np.concatenate([*blocks_of(each)] or [np.zeros((0, 0), np.float32)]) for each in (synthetic, held_out))
    count = min(len(new), len(real))
    if count == 0:
        return f"there are no {'held-out' if len(new) else 'new'} images"
    images = np.concatenate([new[:count], real[:count]])
    if not np.isfinite(images).all():
        return "some image has values that are not finite numbers"
    numbers, nearest, training_count = nearest_training(images, training)
    if training_count < 2:
        return "there are fewer than two training images"
    distances = distances_of(images, nearest)
    if np.isinf(gaps := gaps_of(nearest, training, distances)).any():
        return "all training images are the same"
    near, near_held_out = near_copies(distances, gaps).reshape(2, count).sum(axis=1).tolist()
    exact, pairs = _closest(distances[:count], numbers.tolist(), synthetic=synthetic, training=training)
    of_new, of_held_out = (Nearest(*np.percentile(side, (50, 1)).tolist()) for side in distances.reshape(2, count))
    return Memorisation(
        images=count,
        training=training_count,
        synthetic=of_new,
        held_out=of_held_out,
        closer=float((distances[:count] < of_held_out.median).mean()),
        exact=exact,
        near=near,
        near_held_out=near_held_out,
        pairs=tuple(pairs),
    )


def document(memorisation: Memorisation | str) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of the comparison (no images), or of the reason that there is none."""
    if isinstance(memorisation, str):
        return {"left_out": memorisation}
    return {
        **_rounded(vars(memorisation)),
        "synthetic": _rounded(vars(memorisation.synthetic)),
        "held_out": _rounded(vars(memorisation.held_out)),
        "pairs": [_rounded(vars(pair)) for pair in memorisation.pairs],
        "flagged": memorisation.flagged,
        "verdict": memorisation.verdict,
    }


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields except images, with six digits."""
    return {
        name: rounded(value) if isinstance(value, float) else value
        for name, value in fields.items()
        if not isinstance(value, np.ndarray)
    }


def _closest(distances: Images, numbers: list[int], *, synthetic: Batches, training: Batches) -> tuple[int, list[Pair]]:
    """Count the new images that equal their nearest training image at full size, and return the closest pairs.

    Args:
        distances: Of the new images, averaged down, from the nearest training image: [N].
        numbers: Numbers of these training images.
        synthetic: The new images.
        training: The training images.
    """
    # Rounded, so that equal distances are ordered by number on any machine.
    rounded = np.round(distances, DIGITS)
    # Only images whose averages are equal can be equal at full size.
    candidates = int((rounded < LEVEL + 10.0**-DIGITS).sum())
    order = np.argsort(rounded, kind="stable")[: max(PAIRS, candidates)].tolist()
    step = max(PAIRS, MAX_BYTES // next(synthetic())[0].nbytes)
    exact, pairs = 0, list[Pair]()
    for start in range(0, len(order), step):
        nearest = {number: numbers[number] for number in order[start : start + step]}
        new_images = _by_number(synthetic, set(nearest))
        training_images = _by_number(training, set(nearest.values()))
        block = [Pair(new_images[i], training_images[t], float(distances[i]), i, t) for i, t in nearest.items()]
        exact += sum(bool(np.abs(pair.synthetic - pair.training).max() < LEVEL) for pair in block)
        pairs = pairs or block[:PAIRS]
    return exact, pairs


def _by_number(batches: Batches, numbers: set[int]) -> dict[int, Images]:
    """Return the images [H, W, C] that have these numbers within a set."""
    images = islice(chain.from_iterable(batches()), max(numbers) + 1)
    return {number: image.copy() for number, image in enumerate(images) if number in numbers}
