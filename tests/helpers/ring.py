"""Images whose codes lie on a ring, a model made by hand that knows them, and judgements of new images. No test is here.

Images have two halves, each of one brightness. The model encodes and decodes them without error: a code is the two
brightnesses. The codes lie on a ring, whose empty centre is where the prior is densest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from helpers.small_evaluation import small_networks

from components.evaluate.samples import judge
from components.evaluate.samples.distances import Compared, Distances
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.sampler_choice import SamplerResult
from models.likelihoods import WeightedMse
from models.normalisation import Normalise
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

Array = np.ndarray[Any, Any]
SHAPE = (8, 8, 1)
SCALE = 6.0  # of a code, over brightness
CHOOSE = 20  # validation images that are enough to choose a sampler, in these tests


class Bars:
    """A stand-in for `components.reporting.console.bar`.

    Attributes:
        updates: By the bar's description, its total and the numbers of images that it was updated with.
    """

    def __init__(self) -> None:
        self.updates: dict[str, tuple[int, list[int]]] = {}

    @contextmanager
    def __call__(self, description: str, *, total: int) -> Iterator[Callable[[int], None]]:
        counts: list[int] = []
        self.updates[description] = (total, counts)
        yield counts.append


def judge_small(vae: VAE, examples: Examples, **options: Any) -> Judgement:
    """Judge a model's new images, with small feature networks."""
    options = {"seed": 0, "max_images": 1000, "sampler": "auto", "bar": Bars(), **options}
    with small_networks(validation_images=CHOOSE):
        return judge.judge(vae, examples=examples, **options)


class Judged(NamedTuple):
    """A judgement, what it is about, its progress bars, and the folder of its classifiers."""

    examples: Examples
    vae: VAE
    judgement: Judgement
    bars: Bars
    work: Path | None

    @classmethod
    def of(cls, vae: VAE, examples: Examples, *, work: Path | None = None) -> Judged:
        """Judge a model's new images, and save its classifiers in the folder `work`."""
        bars = Bars()
        return cls(examples, vae, judge_small(vae, examples, bar=bars, work=work), bars, work)


def load(model: Model) -> VAE:
    """Load a model's network from its file."""
    return keras.models.load_model(model.vae_path, compile=False, safe_mode=True)


def ring_vae() -> VAE:
    """Build the model: a code is the halves' brightnesses, less a half and times `SCALE`; posteriors are narrow."""
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
    """Return images whose codes lie on a ring of radius 2, and whether the left half is bright: 0 or 1."""
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, count)
    codes = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * random.standard_normal((count, 2))
    brightness = np.rint((0.5 + codes / SCALE) * 255).astype(np.uint8)
    images = brightness.repeat(4, axis=1)[:, None, :, None].repeat(8, axis=1)  # [N, 8, 8, 1]
    return images, (codes[:, 0] > 0).astype(int).tolist()


def distances_by_space(judgement: Judgement) -> dict[str, Distances]:
    """Return the distances by the name of their feature space."""
    assert isinstance(judgement.compared, Compared)
    return {distances.space.name: distances for distances in judgement.compared.distances}


def results_by_sampler(judgement: Judgement) -> dict[str, SamplerResult]:
    """Return the results of all samplers by their kind."""
    assert not isinstance(judgement.samplers, str)
    return {result.sampler.kind: result for result in judgement.samplers}
