"""Whether a flow is worth its time: what it gains beside the best other sampler, and what it costs. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from components.reporting.numbers import rounded
from models.code_samplers import CodeSampler, Kind
from models.vae import VAE

Lost = Literal["excess", "held_out"]

# What a flow has to gain for each doubling of an image's multiplications: blur in pixels; a share of the Fréchet distance.
GAIN: dict[Lost, float] = {"excess": 0.02, "held_out": 0.05}


@dataclass(frozen=True)
class Trade:
    """What a flow gains and costs beside the best other sampler.

    Multiplications decide, and not the time that was measured, so that the same images and settings give the same choice
    everywhere.

    Attributes:
        lost: What new images lose by: `excess` or `held_out` of `sampler_choice.SamplerResult`.
        flow: What the flow's images lose.
        other: What the other sampler's images lose.
        kind: Kind of the other sampler.
        work: The flow's multiplications for an image over the other sampler's.
    """

    lost: Lost
    flow: float
    other: float
    kind: Kind
    work: float

    @property
    def pays(self) -> bool:
        """Whether the flow gains enough for its work."""
        unit = 1.0 if self.lost == "excess" else self.other
        return self.other - self.flow > unit * GAIN[self.lost] * max(math.log2(self.work), 0.0)


def multiplications(vae: VAE, sampler: CodeSampler) -> int:
    """Return the number of multiplications that a new image takes, in the sampler and in the decoder."""
    return sampler.multiplications + sum(map(_of_layer, vae.decoder.layers))


def _of_layer(layer: keras.layers.Layer) -> int:
    """Return a layer's multiplications for one image, where it has a kernel: at each place, one for each of its numbers."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    places = layer.input if isinstance(layer, keras.layers.Conv2DTranspose) else layer.output
    return int(math.prod(kernel.shape)) * int(math.prod(places.shape[1:-1]))


def document(trade: Trade) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of a trade."""
    return {
        "beside": trade.kind,
        "work": rounded(trade.work),
        "pays": trade.pays,
        "doc": "Multiplications that an image takes with codes from the flow, over those with codes from the best other "
        "sampler; and whether the flow gains enough for them.",
    }


class Stopwatch:
    """Measures how many images a second an iterator makes, except for the first batch, which also builds what it needs."""

    def __init__(self) -> None:
        self.images, self.seconds = 0, 0.0

    def timed(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass batches on."""
        first, start = True, perf_counter()
        for batch in batches:
            if not first:
                self.images += len(batch)
                self.seconds += perf_counter() - start
            yield batch
            first, start = False, perf_counter()

    @property
    def speed(self) -> float | None:
        """Images a second; None where there was one batch."""
        return self.images / self.seconds if self.seconds else None
