"""How much blur images are worth: each measure is calibrated by real images that are made worse by known steps.

A distance alone says little: 1.2 times the floor may be hardly visible, or much. So real images that no network was trained
on are degraded by steps, and each measure says which blur other images are worth. A measure that does not order the steps
cannot say that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate.samples.degradations import BLUR, OF_IMAGES, OF_SETS, Degradation, Kind, degraded, rows_left
from components.evaluate.samples.measures import Description, Measure, describe

FEWEST = 100  # images of a set
MOST = 1_000

Images = NDArray[np.float32]  # [B, H, W, C], scale 0 to 1


@dataclass(frozen=True)
class Scale:
    """One measure's distances of degraded real images from other real images.

    Attributes:
        measure: The measure.
        real: Description of the images that others are compared with.
        floor: Distance of real images that are not degraded.
        steps: Distances after each step, by kind of degradation.
    """

    measure: Measure
    real: Description
    floor: float
    steps: Mapping[Kind, tuple[float, ...]]

    def orders(self, kind: Kind) -> bool:
        """Return whether each step is farther away than the one before, and the first one farther than real images."""
        distances = (self.floor, *self.steps[kind])
        return bool(np.isfinite(distances).all() and (np.diff(distances) > 0).all())

    def blur(self, images: Description) -> float | None:
        """Return the blur that images are worth, in pixels: that of real images which are as far away.

        It is 0 at the floor and below. Between steps it is interpolated, beyond the last one extrapolated. None: the measure
        does not order blurs, or the distance is not a finite number.
        """
        distance = self.measure.distance(self.real, images)
        if not self.orders("blur") or not np.isfinite(distance):
            return None
        blurs, distances = (0.0, *BLUR.steps), (self.floor, *self.steps["blur"])
        if distance <= distances[-1]:
            return float(np.interp(distance, distances, blurs))
        slope = (blurs[-1] - blurs[-2]) / (distances[-1] - distances[-2])
        return blurs[-1] + slope * (distance - distances[-1])


def calibrate(
    measures: Sequence[Measure],
    *,
    real: Iterable[Images],
    held_out: Callable[[], Iterable[Images]],
    kinds: Sequence[Degradation] = (*OF_IMAGES, *OF_SETS),
    order: Callable[[Kind], NDArray[np.int64]],
    progress: Callable[[int], None] = lambda done: None,
) -> list[Scale]:
    """Measure how far real images are from others, as they are and degraded.

    Args:
        measures: The measures.
        real: Batches of real images.
        held_out: Returns batches of as many other real images.
        kinds: The degradations.
        order: The order of the held-out images for a degradation of sets, see `rows_left`.
        progress: Called with the number of images described.

    Returns:
        A scale for each measure.
    """
    done = 0

    def described(batches: Iterable[Images]) -> list[Description]:
        nonlocal done
        descriptions = describe(measures, batches)
        done += len(descriptions[0][0])
        progress(done)
        return descriptions

    reference, plain = described(real), described(held_out())
    steps: list[dict[Kind, tuple[float, ...]]] = [{} for _ in measures]
    for degradation in kinds:
        kind = degradation.kind
        distances = []
        for step in degradation.steps:
            if degradation in OF_IMAGES:
                worse = described(degraded(held_out(), kind, step))
            else:
                rows = rows_left(step, order=order(kind))
                worse = [tuple(part[rows] for part in description) for description in plain]
            distances.append(
                [measure.distance(*sets) for measure, *sets in zip(measures, reference, worse, strict=True)]
            )
        for of_measure, of_steps in zip(steps, zip(*distances, strict=True), strict=True):
            of_measure[kind] = of_steps
    return [
        Scale(measure, of_real, measure.distance(of_real, of_others), of_measure)
        for measure, of_real, of_others, of_measure in zip(measures, reference, plain, steps, strict=True)
    ]


def blurs(scales: Sequence[Scale], descriptions: Sequence[Description]) -> dict[str, float]:
    """Return the blur that images are worth by each measure that can tell, in pixels."""
    worth = {scale.measure.name: scale.blur(images) for scale, images in zip(scales, descriptions, strict=True)}
    return {name: blur for name, blur in worth.items() if blur is not None}


def excess(images: Mapping[str, float], beside: Mapping[str, float]) -> float | None:
    """Return the blur that images are worth beyond others, by the measure that is the least kind; None: none can tell."""
    return max((images[name] - beside[name] for name in images.keys() & beside.keys()), default=None)
