"""Ways to tell how far apart two sets of images are: by patches, by spectra, and in each feature space. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.patches import patches_of, sliced_wasserstein
from components.evaluate.samples.spectrum import spectra_of, spectral_distance

Images = NDArray[np.float32]  # [B, H, W, C], scale 0 to 1
Description = tuple[NDArray[np.float32], ...]  # arrays whose first axis is the images


@dataclass(frozen=True)
class Measure:
    """A way to tell how far apart two sets of images are.

    Attributes:
        name: Key in ``metrics.json``.
        doc: What is compared, for a reader.
        describe: Describes a batch of images, whose first one has the second argument as its number in the set.
        parts: Distances of the parts of the second description from the first, which is that of as many real images.
    """

    name: str
    doc: str
    describe: Callable[[Images, int], Description]
    parts: Callable[[Description, Description], tuple[float, ...]]

    def distance(self, real: Description, other: Description) -> float:
        """Return the mean of the parts, which is 0 for the same images; NaN where some description is no finite number."""
        if not all(np.isfinite(part).all() for part in (*real, *other)):
            return math.nan
        return float(np.mean(self.parts(real, other)))


def measures_of(spaces: Sequence[FeatureSpace]) -> list[Measure]:
    """Return all measures: patches, spectra, and the Fréchet distance in each feature space."""
    return [PATCHES, SPECTRUM, *map(in_features, spaces)]


def describe(measures: Sequence[Measure], batches: Iterable[Images]) -> list[Description]:
    """Return a set's description by each measure. The batches are read once."""
    parts: list[list[Description]] = [[] for _ in measures]
    start = 0
    for images in batches:
        for of_measure, measure in zip(parts, measures, strict=True):
            of_measure.append(measure.describe(images, start))
        start += len(images)
    return [tuple(map(np.concatenate, zip(*of_measure, strict=True))) for of_measure in parts]


PATCHES = Measure(
    "patches",
    "patches of each level of detail: the sliced Wasserstein distance, in deviations of real patches, mean over levels",
    lambda images, start: patches_of(images, start=start),
    lambda real, other: tuple(map(sliced_wasserstein, real, other)),
)
SPECTRUM = Measure(
    "spectrum",
    "power at each fineness of detail: the difference of mean spectra, in decibels",
    lambda images, _: (spectra_of(images),),
    lambda real, other: (spectral_distance(real[0], other[0]),),
)


def in_features(space: FeatureSpace) -> Measure:
    """Return the measure of a feature space: the Fréchet distance in it."""
    return Measure(
        space.name,
        f"{space.doc}: the Fréchet distance",
        lambda images, _: (np.asarray(space.features(images)),),
        lambda real, other: (frechet_distance(real[0], other[0]),),
    )
