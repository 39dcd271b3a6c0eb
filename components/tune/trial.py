"""One trial: train for a few epochs, and judge by what can be compared between trials."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.engine.batch_norm import IMAGES as MEASURED
from components.examples.dataset import batch_count
from components.examples.training_images import TrainingImages
from components.latents.noise import binarised, standard_normal
from components.tune.networks import Network, Networks
from models.vae import VAE
from schemas.recipe.model import ConvModel
from schemas.recipe.settings import TuneSettings

READ = 256  # images judged at once
GLANCE = 1024  # images that a value on the way is measured on; the last is measured on all

Report = Callable[[int, float], bool]  # epoch, from 1, and validation ELBO, to whether the trial shall end


class TrialFailed(Exception):
    """A trial that has no result. The message says why."""


def run_trial(
    images: TrainingImages,
    networks: Networks,
    settings: TuneSettings,
    *,
    epochs: int,
    count: int,
    report: Report,
    whole: bool = True,
) -> tuple[int, float]:
    """Trains one candidate.

    Args:
        images: The search's.
        networks: Those of trials before.
        settings: With the candidate's values.
        epochs: Most epochs.
        count: Training images per epoch.
        report: Is told the validation ELBO after each epoch but the last, on the first images of the validation split,
            and says whether that was the last after all.
        whole: Whether it may win, and so is judged by the whole split.

    Returns:
        How many epochs were run, and the validation ELBO after them, nats per image.

    Raises:
        TrialFailed: The loss or the ELBO is not finite, memory ran out, or the values do not fit each other.
    """
    _check_fit(images, settings)
    while True:
        crowded = len(networks.built) > 0
        try:
            network = networks.get(settings)
            judge = Judge(images, network, settings, epochs=epochs, count=count, report=report)
            _train(images, network, settings, judge)
            return judge.epochs_run, judge.measure(whole=whole)
        except (tf.errors.ResourceExhaustedError, MemoryError):
            networks.clear()
            if not crowded:
                raise TrialFailed("out of memory") from None


def _train(images: TrainingImages, network: Network, settings: TuneSettings, judge: Judge) -> None:
    batch_size = settings.train.batch_size
    network.vae.fit(
        images.training(
            limit=judge.count,
            batch_size=batch_size,
            seed=settings.seed,
            epochs=judge.epochs,
            labelled=network.vae.conditional,
        ),
        steps_per_epoch=math.ceil(judge.count / batch_size),
        epochs=judge.epochs,
        callbacks=[judge],
        shuffle=False,
        verbose=0,
    )


class Judge(keras.callbacks.Callback):
    """Measures the validation ELBO, on noise that is the same for every epoch and every trial.

    It is the likelihood's own bound, whatever weight training gave its terms.

    Args:
        images: The search's.
        network: That is trained.
        settings: With the candidate's values.
        epochs: Most epochs.
        count: Training images per epoch.
        report: See `run_trial`.
    """

    def __init__(
        self,
        images: TrainingImages,
        network: Network,
        settings: TuneSettings,
        *,
        epochs: int,
        count: int,
        report: Report,
    ) -> None:
        super().__init__()
        self.images = images
        self.network = network
        self.settings = settings
        self.epochs = epochs
        self.count = count
        self.report = report
        self.epochs_run = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Ends a trial whose loss, a running mean in which a NaN stays, is no longer a number."""
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            raise TrialFailed("the loss did not stay finite")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Judges at a glance, and ends the trial as finished where it is told to."""
        self.epochs_run = epoch + 1
        if self.epochs_run < self.epochs and self.report(self.epochs_run, self.measure(whole=False)):
            self.model.stop_training = True

    def measure(self, *, whole: bool) -> float:
        """The validation ELBO, on the first images or on all.

        Raises:
            TrialFailed: It is not finite.
        """
        limit = None if whole else GLANCE
        self.network.batch_norm.data = self.images.measured(
            count=min(self.count, MEASURED if limit is None else limit),
            batch_size=self.settings.train.batch_size,
            labelled=self.network.vae.conditional,
        )
        self.network.batch_norm.measure(self.network.vae)
        elbo = validation_elbo(
            self.network.vae, self.images, seed=self.settings.seed, terms=self.network.terms, limit=limit
        )
        if not math.isfinite(elbo):
            raise TrialFailed("the validation ELBO did not stay finite")
        return elbo


def validation_elbo(
    vae: VAE, images: TrainingImages, *, seed: int, terms: Callable[..., dict[str, tf.Tensor]], limit: int | None = None
) -> float:
    """Mean ELBO over the validation split or its first images, nats per image; `terms` is the model's, traced or not."""
    values = []
    start = 0
    for inputs in images.validation(batch_size=READ, limit=limit, labelled=vae.conditional):
        count = batch_count(inputs)
        if vae.binary:
            inputs = _binarised(inputs, seed=seed, start=start)
        noise = standard_normal(seed, start=start, count=count, size=vae.latent_dim)
        found = terms(inputs, noise)
        values.append(np.asarray(found["log_prob"]) - np.asarray(found["kl"]))
        start += count
    return float(np.mean(np.concatenate(values), dtype=np.float64))


def _binarised(inputs: Any, *, seed: int, start: int) -> Any:
    """A batch as a model of binary images takes it."""
    if isinstance(inputs, dict):
        return {**inputs, "pixels": _binarised(inputs["pixels"], seed=seed, start=start)}
    return tf.constant(binarised(inputs.numpy(), seed=seed, start=start))


def _check_fit(images: TrainingImages, settings: TuneSettings) -> None:
    """What the recipe checks of its own values: these come together for the first time."""
    model, statistics = settings.model, images.statistics
    if isinstance(model, ConvModel) and (statistics.height % model.stride or statistics.width % model.stride):
        raise TrialFailed(
            f"the decoder's strides need a multiple of {model.stride}, found {statistics.height}×{statistics.width} pixels"
        )
