"""Networks that trials share. Importing this module loads TensorFlow.

Building one and tracing its three functions (a step of training, a batch's terms, batch normalisation's statistics) takes
seconds. Trials that differ in the learning rate and the batch size alone need none of it anew.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.engine.batch_norm import IMAGES as MEASURED
from components.engine.batch_norm import PreciseBatchNorm
from components.engine.optimizer import make_optimizer
from components.engine.probe import plain_engine
from components.examples.training_images import TrainingImages
from models.vae import VAE
from schemas.recipe.recipe import TrainSection
from schemas.recipe.settings import TuneSettings

KEPT = 6  # networks; the one that was not used for longest is given up
NOT_IN_A_GRAPH = ("learning_rate", "batch_size")


@dataclass(frozen=True)
class Network:
    """A network, and what was traced of it.

    Attributes:
        vae: Compiled.
        terms: Its terms of a batch, traced.
        batch_norm: Measures its statistics.
        initial: Its variables and the optimizer's before any training, random states included.
    """

    vae: VAE
    terms: tf.types.experimental.PolymorphicFunction
    batch_norm: PreciseBatchNorm
    initial: list[np.ndarray]


class Networks:
    """The networks of a process's trials, each as if it had just been built."""

    def __init__(self, images: TrainingImages) -> None:
        self.images = images
        self.built: OrderedDict[str, Network] = OrderedDict()

    def get(self, settings: TuneSettings) -> Network:
        """The network that a candidate's values ask for, untrained."""
        key = self._key(settings)
        if key not in self.built:
            while len(self.built) >= KEPT:
                self.built.popitem(last=False)
            self.built[key] = self._build(settings)
        self.built.move_to_end(key)
        network = self.built[key]
        for variable, value in zip(_variables(network.vae), network.initial, strict=True):
            variable.assign(value)
        network.vae.optimizer.learning_rate = settings.train.learning_rate
        return network

    def clear(self) -> None:
        """Gives all of them up, and their memory."""
        self.built.clear()
        keras.utils.clear_session()

    def _key(self, settings: TuneSettings) -> str:
        train = settings.train.model_dump(mode="json", exclude=set(NOT_IN_A_GRAPH))
        return json.dumps([settings.model.model_dump(mode="json"), settings.loss.model_dump(mode="json"), train])

    def _build(self, settings: TuneSettings) -> Network:
        keras.utils.clear_session()
        engine = plain_engine(settings.train.engine)  # measuring takes longer than a trial
        vae = engine.build(settings.model, settings.loss, self.images.statistics, seed=settings.seed)
        engine.compile(vae, make_optimizer(_short(settings.train), steps_per_epoch=1))
        vae.optimizer.build(vae.trainable_variables)  # else the step is traced twice, at a second each
        return Network(
            vae=vae,
            terms=tf.function(vae.terms, reduce_retracing=True),
            batch_norm=PreciseBatchNorm(
                self.images.measured(count=MEASURED, batch_size=settings.train.batch_size, labelled=vae.conditional)
            ),
            initial=[np.array(variable.numpy()) for variable in _variables(vae)],
        )


def _short(section: TrainSection) -> TrainSection:
    """What a trial takes of a training that is longer: no schedule, and no average, which would lag behind."""
    return section.model_copy(update={"schedule": "constant", "warmup_epochs": 0, "ema": None})


def _variables(vae: VAE) -> list[Any]:
    return [*vae.variables, *vae.optimizer.variables]
