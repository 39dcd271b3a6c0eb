"""Choose a generator's sampler of codes: the one whose new images lose the least beside reconstructions. Loads TensorFlow.

Every sampler's images pass through the same decoder, and so do reconstructions: what new images lose beyond those is the
sampler's doing. It is measured by every calibrated measure, and the one that is the least kind counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.evaluate.samples.distances import NOT_FINITE
from components.evaluate.samples.flow_trade import Lost, Trade
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.kid import kernel_distance
from models.code_samplers import CodeSampler, Kind

MIN_VALIDATION = 100  # fewest validation images by which a sampler is chosen

Features = Sequence[NDArray[np.float32]]  # features of a set of images, [N, D] for each feature space


@dataclass(frozen=True)
class SamplerResult:
    """Distances of a sampler's new images from real ones; None where some features are not finite numbers.

    Attributes:
        sampler: The sampler.
        excess: Blur that its images are worth beyond reconstructions, in pixels, by the measure that is the least kind, with
            validation images: by it a sampler is chosen. None also where images are too few, or no measure can tell.
        held_out: Fréchet distance from validation images; None also where they are too few.
        kernel: Kernel distance from test images.
        frechet: Fréchet distance from test images.
        speed: Images a second that it made here; None: not measured.
    """

    sampler: CodeSampler
    excess: float | None
    held_out: float | None
    kernel: float | None
    frechet: float | None
    speed: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Choice:
    """The chosen sampler.

    Attributes:
        sampler: This sampler.
        results: Distances of all samplers.
        space_index: Number of the feature space in which samplers are compared; see `choose_sampler`.
        why_not_chosen: Why no sampler could be chosen by validation images, as a clause; None: one was.
        trade: What a flow gains and costs; None: there is none, or nothing to choose by.
    """

    sampler: CodeSampler
    results: tuple[SamplerResult, ...]
    space_index: int
    why_not_chosen: str | None
    trade: Trade | None = None


def choose_sampler(
    samplers: Sequence[CodeSampler],
    *,
    kind: str,
    synthetic: Sequence[Features],
    test: Features,
    training: Features,
    validation: Features,
    excess: Sequence[float | None],
    work: Sequence[int] | None = None,
    speeds: Sequence[float | None] | None = None,
    seed: int,
) -> Choice:
    """Choose the sampler whose new images lose the least beside reconstructions, or the one that the recipe names.

    Distances are those in the last feature space in which all real images have finite features. Where no measure is calibrated,
    the sampler whose images are nearest to validation images in that space is chosen.

    Args:
        samplers: The samplers to compare, the prior first.
        kind: Kind of the sampler to take, regardless of distances; or auto.
        synthetic: Features of each sampler's images.
        test: Features of test images.
        training: Features of training images.
        validation: Features of validation images; empty where there are none.
        excess: Of each sampler, see `SamplerResult`.
        work: Multiplications of an image from each sampler; None: they are all the same.
        speeds: Of each sampler, see `SamplerResult`; None: not measured.
        seed: Seed of the kernel distance's blocks.
    """
    real = [features for features in (test, training, validation) if features]
    usable = [index for index in range(len(test)) if all(np.isfinite(features[index]).all() for features in real)]
    space = usable[-1] if usable else len(test) - 1
    held_out = len(validation[space]) if validation else 0
    enough = held_out >= MIN_VALIDATION
    results = tuple(
        SamplerResult(
            sampler,
            excess=lost if enough else None,
            held_out=_distance(frechet_distance, validation[space], features[space]) if enough else None,
            kernel=_distance(lambda *sets: kernel_distance(*sets, seed=seed).value, test[space], features[space]),
            frechet=_distance(frechet_distance, test[space], features[space]),
            speed=speed,
        )
        for sampler, features, lost, speed in zip(
            samplers, synthetic, excess, speeds or [None] * len(samplers), strict=True
        )
    )
    why_not_chosen = None
    if not enough:
        why_not_chosen = f"it takes {MIN_VALIDATION} validation images, and there are {held_out}"
    elif all(result.held_out is None for result in results):
        why_not_chosen = NOT_FINITE
    best, trade = _best(
        results, work=dict(zip((sampler.kind for sampler in samplers), work or [1] * len(samplers), strict=True))
    )
    if kind != "auto":
        best = next(sampler for sampler in samplers if sampler.kind == kind)
    return Choice(best, results, space, why_not_chosen, trade)


def _distance(
    distance: Callable[..., float], real: NDArray[np.float32], synthetic: NDArray[np.float32]
) -> float | None:
    """Return a distance of features; None where some are not finite numbers."""
    return distance(real, synthetic) if np.isfinite(real).all() and np.isfinite(synthetic).all() else None


def _best(results: Sequence[SamplerResult], *, work: Mapping[Kind, int]) -> tuple[CodeSampler, Trade | None]:
    """Return the sampler that loses the least, or the prior where none could be measured; and what a flow gains and costs.

    The sampler of training images' codes is never chosen automatically: new images would look like single training images,
    and the generator would hold their codes. Among samplers that lose nothing, the one whose images are nearest to validation
    images is chosen. A flow is chosen if it gains enough for its work.
    """
    measures: tuple[Lost, ...] = ("excess", "held_out")
    for lost in measures:
        values = {  # below 0 is as good as 0: nothing is lost
            result.sampler.kind: (max(value, 0.0), result.sampler)
            for result in results
            if result.sampler.kind != "posterior" and (value := getattr(result, lost)) is not None
        }
        distances = {result.sampler.kind: result.held_out for result in results if result.held_out is not None}
        flow, flow_sampler = values.pop("flow", (None, None))
        if values:
            kind = min(values, key=lambda kind: (values[kind][0], distances.get(kind, math.inf), kind))
            value, sampler = values[kind]
            if flow is None or flow_sampler is None:
                return sampler, None
            trade = Trade(lost, flow, value, kind, work["flow"] / work[kind])
            return (flow_sampler if trade.pays else sampler), trade
        if flow_sampler is not None:
            return flow_sampler, None
    return results[0].sampler, None
