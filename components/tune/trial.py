"""One trial: a training of a few epochs, and a value that can be compared between trials."""

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

BATCH_SIZE = 256  # images per batch of validation
FIRST_IMAGES = 1024  # validation images of all values but the last, which is of all images

Report = Callable[[int, float], bool]  # takes epoch (from 1) and validation ELBO; returns whether to end the trial


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
    """Train one candidate.

    Args:
        images: The search's.
        networks: The networks of earlier trials.
        settings: With the candidate's values.
        epochs: Most epochs.
        count: Training images per epoch.
        report: Called after each epoch but the last with the validation ELBO of the split's first images; returns
            whether to end the trial.
        whole: Whether the trial may win. Its last value is then of the whole split.

    Returns:
        Number of epochs run, and the validation ELBO after them, nats per image.

    Raises:
        TrialFailed: The loss or the ELBO is not finite, memory ran out, or the values do not fit each other.
    """
    _check_fit(images, settings)
    while True:
        others_in_memory = len(networks.built) > 0
        try:
            network = networks.get(settings)
            judge = Judge(images, network, settings, epochs=epochs, count=count, report=report)
            _train(images, network, settings, judge)
            return judge.epochs_run, judge.measure(whole=whole)
        except (tf.errors.ResourceExhaustedError, MemoryError):
            networks.clear()
            if not others_in_memory:
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
    """Measures the validation ELBO, with the same noise for every epoch and every trial.

    It is the likelihood's own bound, without the weights of the loss's terms.

    Args:
        images: The search's.
        network: The network in training.
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
        """Fail the trial if the loss, a running mean in which a NaN stays, is not finite."""
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            raise TrialFailed("the loss did not stay finite")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure on the first images, and end the training if the report says so."""
        self.epochs_run = epoch + 1
        if self.epochs_run < self.epochs and self.report(self.epochs_run, self.measure(whole=False)):
            self.model.stop_training = True

    def measure(self, *, whole: bool) -> float:
        """Return the validation ELBO, of the first images or of all.

        Raises:
            TrialFailed: It is not finite.
        """
        limit = None if whole else FIRST_IMAGES
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
    """Return the mean ELBO of the validation split or its first images, nats per image.

    `terms` is the model's own method, traced or not.
    """
    values = []
    start = 0
    for inputs in images.validation(batch_size=BATCH_SIZE, limit=limit, labelled=vae.conditional):
        count = batch_count(inputs)
        if vae.binary:
            inputs = _binarised(inputs, seed=seed, start=start)
        noise = standard_normal(seed, start=start, count=count, size=vae.latent_dim)
        batch_terms = terms(inputs, noise)
        values.append(np.asarray(batch_terms["log_prob"]) - np.asarray(batch_terms["kl"]))
        start += count
    return float(np.mean(np.concatenate(values), dtype=np.float64))


def _binarised(inputs: Any, *, seed: int, start: int) -> Any:
    """Return a batch with its pixels drawn black or white, as a model of binary images takes it."""
    if isinstance(inputs, dict):
        return {**inputs, "pixels": _binarised(inputs["pixels"], seed=seed, start=start)}
    return tf.constant(binarised(inputs.numpy(), seed=seed, start=start))


def _check_fit(images: TrainingImages, settings: TuneSettings) -> None:
    """Check the drawn values against the images, as the pipeline checks a recipe's own values."""
    model, statistics = settings.model, images.statistics
    if isinstance(model, ConvModel) and (statistics.height % model.stride or statistics.width % model.stride):
        raise TrialFailed(
            f"the decoder's strides need a multiple of {model.stride}, found {statistics.height}×{statistics.width} pixels"
        )
