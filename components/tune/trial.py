"""One trial: train for a few epochs, and judge each by what can be compared between trials."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from components.batch_norm import PreciseBatchNorm
from components.dataset import batch_count
from components.engine import plain_engine
from components.optimizer import make_optimizer
from components.tune.images import TrialImages
from models.noise import standard_normal
from models.vae import VAE
from schemas.recipe import ConvModel, TrainSection
from schemas.settings import TuneSettings

Report = Callable[[int, float], bool]  # epoch, from 1, and validation ELBO, to whether the trial shall end


class TrialFailed(Exception):
    """A trial that has no result. The message says why."""


def run_trial(images: TrialImages, settings: TuneSettings, *, epochs: int, count: int, report: Report) -> None:
    """Trains one candidate, and reports its validation ELBO, nats per image, after each epoch.

    Args:
        images: The search's.
        settings: With the candidate's values.
        epochs: Most epochs.
        count: Training images per epoch.
        report: Is told each epoch's validation ELBO, and says whether it was the last.

    Raises:
        TrialFailed: The loss or the ELBO is not finite, memory ran out, or the values do not fit each other.
    """
    keras.utils.clear_session()
    _check_fit(images, settings)
    batch_size = settings.train.batch_size
    try:
        engine = plain_engine(settings.train.engine)  # measuring takes longer than a trial
        vae = engine.build(settings.model, settings.loss, images.statistics, seed=settings.seed)
        steps = math.ceil(count / batch_size)
        engine.compile(vae, make_optimizer(_short(settings.train), steps_per_epoch=steps))
        vae.optimizer.build(vae.trainable_variables)  # else the step is traced twice, at a second each
        vae.fit(
            images.training(
                count=count, batch_size=batch_size, seed=settings.seed, epochs=epochs, labelled=vae.conditional
            ),
            steps_per_epoch=steps,
            epochs=epochs,
            callbacks=[keras.callbacks.TerminateOnNaN(), Judge(images, settings, count=count, report=report)],
            shuffle=False,
            verbose=0,
        )
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise TrialFailed("out of memory") from None


class Judge(keras.callbacks.Callback):
    """Measures the validation ELBO after each epoch, on noise that is the same for every epoch and every trial.

    It is the likelihood's own bound, whatever weight training gave its terms.

    Args:
        images: The search's.
        settings: With the candidate's values.
        count: Training images per epoch.
        report: See `run_trial`.
    """

    def __init__(self, images: TrialImages, settings: TuneSettings, *, count: int, report: Report) -> None:
        super().__init__()
        self.images = images
        self.seed = settings.seed
        self.report = report
        measured = images.measured(
            count=count, batch_size=settings.train.batch_size, labelled=settings.model.conditional
        )
        self.batch_norm = PreciseBatchNorm(images.examples, batch_size=settings.train.batch_size, data=measured)
        self.terms: tf.types.experimental.PolymorphicFunction | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Judges, and ends the trial as finished where it is told to."""
        if not math.isfinite((logs or {}).get("loss", math.nan)):
            raise TrialFailed("the loss did not stay finite")
        self.batch_norm.measure(self.model)
        if self.terms is None:
            self.terms = tf.function(self.model.terms, reduce_retracing=True)
        elbo = validation_elbo(self.model, self.images, seed=self.seed, terms=self.terms)
        if not math.isfinite(elbo):
            raise TrialFailed("the validation ELBO did not stay finite")
        if self.report(epoch + 1, elbo):
            self.model.stop_training = True


def validation_elbo(vae: VAE, images: TrialImages, *, seed: int, terms: Callable[..., dict[str, tf.Tensor]]) -> float:
    """Mean ELBO over the validation split, nats per image; `terms` is the model's own, compiled or not."""
    values = []
    start = 0
    for inputs in images.validation(labelled=vae.conditional):
        count = batch_count(inputs)
        noise = standard_normal(seed, start=start, count=count, size=vae.latent_dim)
        found = terms(inputs, noise)
        values.append(np.asarray(found["log_prob"]) - np.asarray(found["kl"]))
        start += count
    return float(np.mean(np.concatenate(values), dtype=np.float64))


def _short(section: TrainSection) -> TrainSection:
    """What a trial takes of a training that is longer: no schedule, and no average, which would lag behind."""
    return section.model_copy(update={"schedule": "constant", "warmup_epochs": 0, "ema": None})


def _check_fit(images: TrialImages, settings: TuneSettings) -> None:
    """What the recipe checks of its own values: these come together for the first time."""
    model, statistics = settings.model, images.statistics
    if isinstance(model, ConvModel) and (statistics.height % model.stride or statistics.width % model.stride):
        raise TrialFailed(
            f"the decoder's strides need a multiple of {model.stride}, found {statistics.height}×{statistics.width} pixels"
        )
