"""The judgement of a model's new images, and what ``metrics.json`` holds of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.evaluate.samples import distances, flow_trade, low_data_curve, privacy, quality, usefulness
from components.evaluate.samples.distances import Compared
from components.evaluate.samples.flow_trade import Trade
from components.evaluate.samples.low_data_curve import LowData
from components.evaluate.samples.privacy import Memorisation
from components.evaluate.samples.quality import Quality
from components.evaluate.samples.sampler_choice import SamplerResult
from components.evaluate.samples.usefulness import Usefulness
from components.reporting.numbers import rounded
from models.code_samplers import CodeSampler


@dataclass(frozen=True)
class Judgement:
    """How good a model's new images are. In place of a part that is left out stands the reason, as a clause.

    Attributes:
        sampler: The chosen sampler of codes.
        samplers: All samplers, compared in the space `space`.
        space: Name of the feature space in which samplers are compared.
        quality: How much blur new images are worth, by every calibrated measure.
        compared: Distances between the chosen sampler's images and test images.
        usefulness: How well new images train a classifier.
        memorisation: How close new images come to training images.
        low_data: Whether new images help beside few real ones; None: the recipe does not ask.
        why_not_chosen: Why no sampler could be chosen by validation images, as a clause; None: one was.
        trade: What a flow gains and costs beside the best other sampler; None: there is no flow.
        why_no_flow: Why a flow that the recipe asks for is left out or not used, as a clause.
    """

    sampler: CodeSampler
    samplers: tuple[SamplerResult, ...] | str
    space: str
    quality: Quality | str
    compared: Compared | str
    usefulness: Usefulness | str
    memorisation: Memorisation | str
    low_data: LowData | str | None = None
    why_not_chosen: str | None = None
    trade: Trade | None = None
    why_no_flow: str | None = None


def document(judgement: Judgement) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of a judgement."""
    samplers: dict[str, Any] = {"left_out": judgement.samplers}
    if not isinstance(judgement.samplers, str):
        samplers = {
            "chosen": judgement.sampler.kind,
            "space": judgement.space,
            **({"left_out": judgement.why_not_chosen} if judgement.why_not_chosen else {}),
            **({"why_no_flow": judgement.why_no_flow} if judgement.why_no_flow else {}),
            **({"trade": flow_trade.document(judgement.trade)} if judgement.trade else {}),
            **{
                result.sampler.kind: {
                    "excess_blur": rounded(result.excess),
                    "held_out": rounded(result.held_out),
                    "kernel": rounded(result.kernel),
                    "frechet": rounded(result.frechet),
                }
                for result in judgement.samplers
            },
            "doc": "Where codes of new images come from. excess_blur: blur that their images are worth beyond reconstructions, "
            "in pixels, by which one is chosen; held_out: Fréchet distance of their images from validation images, by which "
            "one is chosen where no measure can tell the blur; kernel, frechet: from test images.",
        }
    return {
        "quality": quality.document(judgement.quality),
        "distances": distances.document(judgement.compared),
        "samplers": samplers,
        "usefulness": {
            **usefulness.document(judgement.usefulness),
            **({} if judgement.low_data is None else {"low_data": low_data_curve.document(judgement.low_data)}),
        },
        "memorisation": privacy.document(judgement.memorisation),
    }
