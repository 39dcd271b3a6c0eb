"""One trial: train for a few epochs, and judge by what can be compared between trials."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf

from components.batch_norm import PreciseBatchNorm
from components.dataset import batch_count, batches, read_statistics, training_batches
from components.device import jit_compile
from models.build import build_vae
from models.noise import standard_normal
from models.vae import VAE
from schemas.artifacts import Examples
from schemas.settings import TuneSettings

EVALUATION_BATCH = 256


class TrialFailed(Exception):
    """A trial that has no result. The message says why."""


def run_trial(
    examples: Examples, settings: TuneSettings, *, latent_dim: int, learning_rate: float, epochs: int
) -> float:
    """Trains one candidate.

    Returns:
        Its validation ELBO, nats per image.

    Raises:
        TrialFailed: The loss or the ELBO is not finite, or memory ran out.
    """
    keras.utils.clear_session()
    statistics = read_statistics(examples)
    vae = build_vae(
        settings.model.model_copy(update={"latent_dim": latent_dim}), settings.loss, statistics, seed=settings.seed
    )
    vae.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=jit_compile())
    images = min(settings.tune.max_images, statistics.records["train"])
    try:
        vae.fit(
            training_batches(
                examples,
                batch_size=settings.batch_size,
                seed=settings.seed,
                first_epoch=0,
                epochs=epochs,
                limit=settings.tune.max_images,
                labelled=vae.conditional,
            ),
            steps_per_epoch=math.ceil(images / settings.batch_size),
            epochs=epochs,
            callbacks=[keras.callbacks.TerminateOnNaN()],
            shuffle=False,
            verbose=0,
        )
        PreciseBatchNorm(examples, batch_size=settings.batch_size).measure(vae)
        elbo = validation_elbo(vae, examples, seed=settings.seed)
    except tf.errors.ResourceExhaustedError:
        raise TrialFailed("out of memory") from None
    if not math.isfinite(elbo):
        raise TrialFailed("the loss did not stay finite")
    return elbo


def validation_elbo(vae: VAE, examples: Examples, *, seed: int) -> float:
    """Mean ELBO over the validation split, nats per image, on noise that is the same for every trial.

    It is the likelihood's own bound, whatever weight training gave its terms.
    """
    terms = tf.function(vae.terms, reduce_retracing=True)
    values = []
    start = 0
    for inputs in batches(examples, "validation", batch_size=EVALUATION_BATCH, labelled=vae.conditional):
        count = batch_count(inputs)
        noise = standard_normal(seed, start=start, count=count, size=vae.latent_dim)
        found = terms(inputs, noise)
        values.append(np.asarray(found["log_prob"]) - np.asarray(found["kl"]))
        start += count
    return float(np.mean(np.concatenate(values), dtype=np.float64))
