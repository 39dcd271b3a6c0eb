"""How good images are, by every calibrated measure: new images, and reconstructions, which tell blur from the sampler.

What reconstructions lose is lost by the decoder; what new images lose beyond that, by where their codes come from. Loads
TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.evaluate.reconstruction.measure import SPLIT
from components.evaluate.samples.calibration import Scale, blurs, calibrate, excess
from components.evaluate.samples.degradations import BLUR, OF_IMAGES, OF_SETS, Kind
from components.evaluate.samples.image_sets import ImageSets
from components.evaluate.samples.measures import Description, Measure, describe
from components.reporting.numbers import rounded
from models.code_samplers import CodeSampler

LITTLE = 0.1  # pixels: of a blur that is next to none


@dataclass(frozen=True)
class Worth:
    """What images are worth by one measure.

    Attributes:
        distance: Their distance from test images.
        blur: The blur, in pixels, of real images that are as far away; None: the measure cannot tell.
    """

    distance: float
    blur: float | None

    @classmethod
    def of(cls, images: Description, scale: Scale) -> Worth:
        """Return what images of this description are worth."""
        return cls(scale.measure.distance(scale.real, images), scale.blur(images))


@dataclass(frozen=True)
class Judged:
    """The result of one measure.

    Attributes:
        name: The measure's.
        doc: What it compares.
        floor: Distance of other real images, which no network was trained on.
        steps: Distances of degraded real images, by kind and step.
        ordered: Whether they are in the order of the steps, by kind.
        new: What new images are worth.
        reconstructed: What reconstructions of held-out images are worth.
    """

    name: str
    doc: str
    floor: float
    steps: Mapping[Kind, tuple[float, ...]]
    ordered: Mapping[Kind, bool]
    new: Worth
    reconstructed: Worth


@dataclass(frozen=True)
class Quality:
    """How good images are.

    Attributes:
        images: Number of images in each set.
        measures: The results of all measures.
    """

    images: int
    measures: tuple[Judged, ...]

    @classmethod
    def of(
        cls,
        scales: Sequence[Scale],
        *,
        new: Sequence[Description],
        reconstructed: Sequence[Description],
        images: int,
    ) -> Quality:
        """Return what new images and reconstructions are worth on these scales."""
        return cls(
            images,
            tuple(
                Judged(
                    name=scale.measure.name,
                    doc=scale.measure.doc,
                    floor=scale.floor,
                    steps=scale.steps,
                    ordered={kind: scale.orders(kind) for kind in scale.steps},
                    new=Worth.of(of_new, scale),
                    reconstructed=Worth.of(of_reconstructed, scale),
                )
                for scale, of_new, of_reconstructed in zip(scales, new, reconstructed, strict=True)
            ),
        )

    @property
    def lost_by_decoder(self) -> float | None:
        """Share of what new images lose that reconstructions lose, too, 0 to 1; None: unknown, or next to nothing is lost."""
        worst = self.worst
        if worst is None or worst.reconstructed.blur is None or not worst.new.blur or worst.new.blur < LITTLE:
            return None
        return min(worst.reconstructed.blur / worst.new.blur, 1.0)

    @property
    def worst(self) -> Judged | None:
        """The measure that is the least kind to new images; None where no measure can tell."""
        able = [measure for measure in self.measures if measure.new.blur is not None]
        return max(able, key=lambda measure: measure.new.blur or 0.0, default=None)


def measure_quality(
    measures: Sequence[Measure],
    sets: ImageSets,
    sampler: CodeSampler,
    *,
    count: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Quality:
    """Measure how good a sampler's new images are, beside test images.

    Args:
        measures: The measures.
        sets: The model's images.
        sampler: Where codes of new images come from.
        count: Number of images in each set: of validation and of test images, too.
        progress: Called with the number of real images described.
    """
    scales = calibrate(
        measures,
        real=sets.real(SPLIT, count),
        held_out=lambda: sets.real("validation", count),
        order=lambda kind: sets.order(kind, "validation", count),
        progress=progress,
    )
    new = describe(measures, sets.new(sampler, count))
    reconstructed = describe(measures, sets.reconstructed("validation", count))
    return Quality.of(scales, new=new, reconstructed=reconstructed, images=count)


def measure_excess(
    measures: Sequence[Measure],
    sets: ImageSets,
    samplers: Sequence[CodeSampler],
    *,
    count: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[float | None]:
    """Return the blur, in pixels, that each sampler's images are worth beyond reconstructions, by the least kind measure.

    It is measured beside validation images, on a scale of blurred training images, because a choice must not see test images.
    None: no measure can tell. See `measure_quality` for the arguments.
    """
    scales = calibrate(
        measures,
        real=sets.real("validation", count),
        held_out=lambda: sets.real("train", count),
        kinds=(BLUR,),
        order=lambda kind: sets.order(kind, "train", count),
        progress=progress,
    )
    reconstructed = blurs(scales, describe(measures, sets.reconstructed("train", count)))
    return [excess(blurs(scales, describe(measures, sets.new(sampler, count))), reconstructed) for sampler in samplers]


def document(quality: Quality | str) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of the quality, or of the reason that it was not measured."""
    if isinstance(quality, str):
        return {"left_out": quality}
    worst = quality.worst
    blur: dict[str, Any] = {"left_out": "no measure orders blurred real images"}
    if worst is not None:
        blur = {
            "measure": worst.name,
            "new": rounded(worst.new.blur),
            "reconstructed": rounded(worst.reconstructed.blur),
            "doc": "Pixels: the deviation of the Gaussian that real images are blurred by when they are as far from test "
            "images, by the measure that is the least kind to new images.",
        }
    units = {degradation.kind: degradation for degradation in (*OF_IMAGES, *OF_SETS)}
    return {
        "images": quality.images,
        "blur": blur,
        "measures": {
            measure.name: {
                "doc": measure.doc,
                "floor": _number(measure.floor),
                "new": {"distance": _number(measure.new.distance), "blur": rounded(measure.new.blur)},
                "reconstructed": {
                    "distance": _number(measure.reconstructed.distance),
                    "blur": rounded(measure.reconstructed.blur),
                },
                "degraded": {
                    kind: {
                        "unit": units[kind].unit,
                        "steps": list(units[kind].steps),
                        "distances": [_number(distance) for distance in distances],
                        "ordered": measure.ordered[kind],
                    }
                    for kind, distances in measure.steps.items()
                },
            }
            for measure in quality.measures
        },
    }


def _number(value: float) -> float | None:
    return rounded(value) if math.isfinite(value) else None
