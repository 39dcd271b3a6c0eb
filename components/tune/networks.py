"""Networks that trials share. Importing this module loads TensorFlow.

Building a network and tracing its three functions (a training step, a batch's terms, batch normalisation's statistics) takes
seconds. Trials that differ in nothing but learning rate and batch size use the same one.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.engine.batch_norm import IMAGES as MEASURED
from components.engine.batch_norm import PreciseBatchNorm
from components.engine.optimizer import make_optimizer
from components.engine.probe import plain_engine
from components.examples.training_images import TrainingImages
from models.vae import VAE
from schemas.recipe.recipe import TrainSection
from schemas.recipe.settings import TuneSettings

MAX_NETWORKS = 6  # of more, the least recently used is dropped
NOT_IN_A_GRAPH = ("learning_rate", "batch_size")


@dataclass(frozen=True)
class Network:
    """A network and its traced functions.

    Attributes:
        vae: Compiled.
        terms: Returns the terms of a batch.
        batch_norm: Measures the statistics of its batch normalisation.
        initial: Its variables and the optimizer's before any training, random states included.
    """

    vae: VAE
    terms: tf.types.experimental.PolymorphicFunction
    batch_norm: PreciseBatchNorm
    initial: list[NDArray[Any]]


class Networks:
    """The networks of the trials of one process."""

    def __init__(self, images: TrainingImages) -> None:
        self.images = images
        self.built: OrderedDict[str, Network] = OrderedDict()

    def get(self, settings: TuneSettings) -> Network:
        """Return the network of a candidate's values, untrained, as if it had just been built."""
        key = self._key(settings)
        if key not in self.built:
            while len(self.built) >= MAX_NETWORKS:
                self.built.popitem(last=False)
            self.built[key] = self._build(settings)
        self.built.move_to_end(key)
        network = self.built[key]
        for variable, value in zip(_variables(network.vae), network.initial, strict=True):
            variable.assign(value)
        network.vae.optimizer.learning_rate = settings.train.learning_rate
        return network

    def clear(self) -> None:
        """Drop all networks, and free their memory."""
        self.built.clear()
        keras.utils.clear_session()

    def _key(self, settings: TuneSettings) -> str:
        train = settings.train.model_dump(mode="json", exclude=set(NOT_IN_A_GRAPH))
        return json.dumps([settings.model.model_dump(mode="json"), settings.loss.model_dump(mode="json"), train])

    def _build(self, settings: TuneSettings) -> Network:
        keras.utils.clear_session()
        engine = plain_engine(settings.train.engine)  # measuring the fastest would take longer than a trial
        vae = engine.build(settings.model, settings.loss, self.images.statistics, seed=settings.seed)
        engine.compile(vae, make_optimizer(_for_a_trial(settings.train), steps_per_epoch=1))
        vae.optimizer.build(vae.trainable_variables)  # otherwise the step is traced twice, at a second each
        return Network(
            vae=vae,
            terms=tf.function(vae.terms, reduce_retracing=True),
            batch_norm=PreciseBatchNorm(
                self.images.measured(count=MEASURED, batch_size=settings.train.batch_size, labelled=vae.conditional)
            ),
            initial=[np.array(variable.numpy()) for variable in _variables(vae)],
        )


def _for_a_trial(section: TrainSection) -> TrainSection:
    """Return a training's settings without schedule and average, which need more steps than a trial has."""
    return section.model_copy(update={"schedule": "constant", "warmup_epochs": 0, "ema": None})


def _variables(vae: VAE) -> list[Any]:
    return [*vae.variables, *vae.optimizer.variables]
