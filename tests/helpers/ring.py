"""Images whose codes lie on a ring, a model that knows them, and what is found of such a model's new images. No test is here.

Images have two halves, each of one brightness. A model made by hand reads and draws them without fault: its codes are the two
brightnesses, which lie on a ring, where the prior has its centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from components.evaluate.samples import judge
from components.evaluate.samples.distances import Compared, Distances
from components.evaluate.samples.judge import Judgement
from components.evaluate.samples.sampler_choice import SamplerResult
from models.likelihoods import WeightedMse
from models.normalisation import Normalise
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

Array = np.ndarray[Any, Any]
SHAPE = (8, 8, 1)
SCALE = 6.0  # of a code, over brightness
CHOOSE = 20  # of validation images, in these tests


class Bars:
    """Stands for `components.reporting.console.bar`.

    Attributes:
        told: By description, the total and what an update told.
    """

    def __init__(self) -> None:
        self.told: dict[str, tuple[int, list[int]]] = {}

    @contextmanager
    def __call__(self, description: str, *, total: int) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        self.told[description] = (total, done)
        yield done.append


def judged(vae: VAE, examples: Examples, **options: Any) -> Judgement:
    return judge.judge(vae, examples=examples, **{"seed": 0, "most": 1000, "sampler": "auto", "bar": Bars(), **options})


def load(model: Model) -> VAE:
    return keras.models.load_model(model.vae_path, compile=False, safe_mode=True)


def ring_vae() -> VAE:
    """Codes are the halves' brightnesses, less a half and times `SCALE`; posteriors are narrow."""
    side = np.zeros((*SHAPE, 2))
    side[:, :4, :, 0] = side[:, 4:, :, 1] = 1.0
    side = side.reshape(-1, 2)
    images = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(images)
    mean, log_variance = (keras.layers.Dense(2, name=name) for name in ("mean", "log_variance"))
    encoder = keras.Model(images, [mean(flat), log_variance(flat)])
    mean.set_weights([side * SCALE / side[:, 0].sum(), np.full(2, -SCALE / 2)])
    log_variance.set_weights([np.zeros_like(side), np.full(2, -8.0)])
    codes = keras.Input((2,))
    outwards = keras.layers.Dense(len(side))
    decoder = keras.Model(codes, keras.layers.Reshape(SHAPE)(outwards(codes)))
    outwards.set_weights([side.T / SCALE, np.full(len(side), 0.5)])
    return VAE(
        encoder=encoder, decoder=decoder, likelihood=WeightedMse(100.0, "linear"), normalise=Normalise([0.0], [1.0])
    )


def ring_images(count: int = 200) -> tuple[Array, list[int]]:
    """Images of halves whose codes lie on a ring of radius 2, and whether the left half is bright: 0 or 1."""
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, count)
    codes = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * random.standard_normal((count, 2))
    brightness = np.rint((0.5 + codes / SCALE) * 255).astype(np.uint8)
    images = brightness.repeat(4, axis=1)[:, None, :, None].repeat(8, axis=1)  # [N, 8, 8, 1]
    return images, (codes[:, 0] > 0).astype(int).tolist()


def spaces(found: Judgement) -> dict[str, Distances]:
    """Those in which something was found."""
    assert isinstance(found.compared, Compared)
    return {distances.space.name: distances for distances in found.compared.found}


def samplers(found: Judgement) -> dict[str, SamplerResult]:
    """All that were tried."""
    assert not isinstance(found.samplers, str)
    return {result.sampler.kind: result for result in found.samplers}
