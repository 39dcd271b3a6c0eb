"""The second phase of a training: a second decoder, from which images come, learns to make them sharp.

A likelihood's mean is blurred: where a code leaves details open, it is their average. So a copy of the decoder is trained on,
while encoder, codes and prior stay as they are, to make patches that a discriminator takes for real ones: Larsen et al. 2016,
"Autoencoding beyond pixels using a learned similarity metric". The model's own decoder stays, and all likelihoods are its.
Importing this module loads TensorFlow.
"""

from __future__ import annotations

import json
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.examples.dataset import readable
from components.examples.training_images import TrainingImages
from components.latents.fitted_samplers import MAX_FITTED, fit_to_training
from components.reporting.console import bar, say
from components.reporting.numbers import as_percent, fixed
from components.train.pictures import Pictures
from components.train.state import TrainingState
from models.code_samplers import CodeSampler, Mixture
from models.critic import build_critic
from models.vae import VAE
from schemas import atomic
from schemas.artifacts.kinds import Model
from schemas.artifacts.records import Statistics
from schemas.errors import DataError
from schemas.recipe.settings import TrainSettings

CRITIC_RATE = 1e-3  # learning rate of the discriminator
MOMENTS = {"beta_1": 0.5, "beta_2": 0.99}  # of Adam, for both
AVERAGE = 0.99  # decay per step of the decoder's average, which is what is kept
NEW_SHARE = 0.5  # new codes, per image of a batch
SMOOTHED = 0.9  # decay per step of the ratio of the two gradients
LAST = 0.3  # share of the steps in which the learning rates fall to 0
COMPARED = 256  # validation images whose detail is measured
_TINY = 1e-8


def check_sharpening(settings: TrainSettings, statistics: Statistics) -> None:
    """Refuse images that have nothing to sharpen, before a long training.

    Raises:
        DataError: All pixels of all training images are equal.
    """
    if settings.train.sharpen and not any(statistics.train_deviation):
        raise DataError(
            "train.sharpen: expected training images that differ, found one colour in all of them; set train.sharpen=null"
        )


def sharpened(vae: VAE, images: TrainingImages, model: Model, settings: TrainSettings, *, epochs: int) -> VAE:
    """Train a second decoder, or resume; return the model with it.

    A loss that is no longer a number ends the phase: the decoder after the last epoch that finished is kept, or none.

    Args:
        vae: The trained model.
        images: Its training and validation images.
        model: The artifact, and its folder of work.
        settings: Settings of the training; `sharpen` is on.
        epochs: Finished epochs of the model itself: orders of images and numbers of pictures begin there.
    """
    assert settings.train.sharpen is not None
    most, path = settings.train.sharpen.epochs, model.work / "sharpen.npz"
    state = TrainingState.read(path)
    try:
        sampler = sampler_of_new_codes(vae, images, seed=settings.seed)
    except DataError as error:  # the model stands, as it would without this phase; evaluate says the same of it
        say(f"sharpen left out: {error}")
        return vae
    phase = Sharpening(vae, settings, sampler=sampler, steps=math.ceil(images.count / settings.train.batch_size))
    if state.epochs and not state.finished(most):
        say(f"sharpen resumes after epoch {state.epochs} of {most}")
    elif not state.epochs:
        say(f"sharpen a second decoder for images, {most} epochs; likelihoods stay those of the model's own")
    phase.restore(state)
    pictures = Pictures(model.progress_path, images.examples, epochs=1, seed=settings.seed)
    pictures.set_model(phase.vae)
    while not state.finished(most):
        try:
            with readable(images.examples):
                row = phase.epoch(images, epoch=state.epochs, first=epochs)
        except _LostError as error:
            state.stopped = True
            state.history.append({"ended": f"in epoch {state.epochs + 1}: {error}"})
        else:
            state.epochs += 1
            state.history.append({"epoch": state.epochs, **row})
            state.variables, state.best_weights = phase.variables(), phase.averaged.get_weights()
            pictures.draw(epochs + state.epochs)
            say(
                f"sharpen {state.epochs:>3}/{most}  error {fixed(row['error'], decimals=4)}  discriminator "
                f"{fixed(row['critic'], decimals=3)}  detail {as_percent(row['detail'])} of the originals'"
            )
        state.write(path)
    if state.stopped:
        own, last = "images come from the model's own decoder", f"the decoder of epoch {state.epochs} is kept"
        say(f"sharpen ended {state.history[-1]['ended']}; {last if state.epochs else own}")
    atomic.write_text(model.sharpening_path, json.dumps(state.history, indent=1) + "\n")
    phase.restore(state)
    return phase.vae if state.epochs else vae


def sampler_of_new_codes(vae: VAE, images: TrainingImages, *, seed: int) -> Mixture:
    """Return where the codes of new images come from: the mixture fitted to training images' codes, as evaluate fits it.

    The prior's codes would be others than those that images are made from later: where the aggregate posterior is far from
    it, they decode to images like no other, from which the discriminator learns nothing.

    Raises:
        DataError: A posterior is not finite.
    """
    with bar("codes", total=min(MAX_FITTED, images.count)) as update:
        samplers = fit_to_training(vae, images, seed=seed, progress=update)
    return next(sampler for sampler in samplers if isinstance(sampler, Mixture))


class _LostError(Exception):
    """The phase cannot go on: the message says why."""


class Sharpening:
    """The networks of the phase, and its step.

    Attributes:
        vae: The model with the averaged decoder for images.
        averaged: That decoder.

    Args:
        vae: The trained model, which does not change.
        settings: Settings of the training.
        sampler: Where codes of new images come from.
        steps: Steps per epoch.
    """

    def __init__(self, vae: VAE, settings: TrainSettings, *, sampler: CodeSampler, steps: int) -> None:
        section = settings.train.sharpen
        assert section is not None
        self.section, self.batch_size, self.seed = section, settings.train.batch_size, settings.seed
        self.steps = steps
        self.critic = build_critic(vae.image_shape, seed=settings.seed)
        self.decoder, self.averaged = (keras.models.clone_model(vae.decoder) for _ in range(2))
        for copy in (self.decoder, self.averaged):
            copy.set_weights(vae.decoder.get_weights())
        self.vae = vae.with_sharp_decoder(self.averaged)
        self.sampler = sampler
        self.random = keras.random.SeedGenerator(settings.seed)
        self.ratio, self.count = tf.Variable(0.0), tf.Variable(0.0)
        self.optimizer = keras.optimizers.Adam(section.learning_rate, **MOMENTS)
        self.critic_optimizer = keras.optimizers.Adam(CRITIC_RATE, **MOMENTS)
        self.optimizer.build(self.decoder.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.step = tf.function(self._step, reduce_retracing=True)

    def variables(self) -> list[Any]:
        """Return all that a step changes, as arrays."""
        return [np.asarray(variable) for variable in self._variables()]

    def restore(self, state: TrainingState) -> None:
        """Continue from a state, if an epoch was finished."""
        if state.epochs:
            for variable, value in zip(self._variables(), state.variables, strict=True):
                variable.assign(value)
            self.averaged.set_weights(state.best_weights)

    def epoch(self, images: TrainingImages, *, epoch: int, first: int) -> dict[str, float]:
        """Train for an epoch, and return its means: see `sharpened`.

        Raises:
            _LostError: A loss or a gradient is not finite, or memory ran out.
        """
        order = images.training(
            batch_size=self.batch_size,
            seed=self.seed,
            first_epoch=first + epoch,
            epochs=first + epoch + 1,
            labelled=self.vae.conditional,
        )
        total, sums = self.section.epochs * self.steps, np.zeros(2)
        with bar(f"sharpen {epoch + 1}/{self.section.epochs}", total=images.count) as update:
            for number, inputs in enumerate(order):
                left = (total - epoch * self.steps - number) / (LAST * total)
                self.optimizer.learning_rate = self.section.learning_rate * min(1.0, left)
                self.critic_optimizer.learning_rate = CRITIC_RATE * min(1.0, left)
                try:
                    values = np.asarray(self.step(inputs))
                except tf.errors.ResourceExhaustedError:
                    raise _LostError("memory ran out; try a smaller train.batch_size") from None
                if not np.isfinite(values).all():
                    raise _LostError(
                        f"the loss is no longer a number at step {number + 1}; try a smaller train.sharpen.learning_rate"
                    )
                sums += values[:2] / self.steps
                update(min(images.count, (number + 1) * self.batch_size))
        return {"error": float(sums[0]), "critic": float(sums[1]), "detail": self._detail(images)}

    def _variables(self) -> list[Any]:
        return [
            *(*self.decoder.variables, *self.critic.variables),
            *(*self.optimizer.variables, *self.critic_optimizer.variables),
            *(self.random.state, self.ratio, self.count),
        ]

    def _step(self, inputs: Any) -> Any:
        """Move discriminator and decoder once; return the error, the discriminator's loss and the length of the gradient."""
        real, codes, labels = self._batch(inputs)
        count = tf.shape(real)[0]
        with tf.GradientTape() as decoding:
            decoded = self._decode(codes, labels)
        with tf.GradientTape() as judging:
            # The hinge loss: Miyato et al. 2018, section 4.
            scores = self.critic(tf.concat([real, tf.clip_by_value(decoded, 0.0, 1.0)], 0), training=True)
            critic_loss = tf.reduce_mean(tf.nn.relu(1.0 - scores[:count])) + tf.reduce_mean(
                tf.nn.relu(1.0 + scores[count:])
            )
        weights = self.critic.trainable_variables
        self.critic_optimizer.apply_gradients(zip(judging.gradient(critic_loss, weights), weights, strict=True))
        with tf.GradientTape(persistent=True) as looking:
            looking.watch(decoded)
            error = tf.reduce_mean(tf.abs(decoded[:count] - real))
            disbelief = -tf.reduce_mean(self.critic(decoded, training=False))
        by_error, by_critic = looking.gradient(error, decoded), looking.gradient(disbelief, decoded)
        # As in Esser et al. 2021, "Taming Transformers", equation 7: the two gradients are of a fixed ratio, so that no
        # weight depends on the images. Theirs is at the last layer, this one at the image.
        ratio = tf.norm(by_error) / (tf.norm(by_critic) + _TINY)
        self.ratio.assign(tf.where(self.count < 1.0, ratio, SMOOTHED * self.ratio + (1.0 - SMOOTHED) * ratio))
        strength = self.section.strength * tf.minimum(1.0, self.count / self.steps)  # rises in the first epoch
        weights = self.decoder.trainable_variables
        combined = by_error + strength * self.ratio * by_critic
        gradients = decoding.gradient(decoded, weights, output_gradients=combined)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        decay = tf.minimum(AVERAGE, (1.0 + self.count) / (10.0 + self.count))
        for average, weight in zip(self.averaged.trainable_variables, weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * weight)
        self.count.assign_add(1.0)
        return tf.stack([error, critic_loss, tf.norm(combined) + tf.linalg.global_norm(gradients)])

    def _batch(self, inputs: Any) -> tuple[Any, Any, Any]:
        """Return real images [B, H, W, C], scale 0 to 1, codes of these and of new ones, and labels of the codes or None.

        Half of the images' codes are means, which reconstructions come from; the other half are drawn.
        """
        vae = self.vae
        pixels, labels = vae._pixels_and_labels(inputs)
        pixels = vae.crop(pixels, random=False)
        mean, log_variance = vae.encode({"pixels": pixels, "labels": labels} if vae.conditional else pixels)
        real, count = vae.normalise.to_unit(vae.normalise(pixels)), tf.shape(mean)[0]
        noise = keras.random.normal(tf.shape(mean), seed=self.random)
        drawn = tf.cast(tf.range(count) % 2, tf.float32)[:, None]
        codes = mean + drawn * tf.exp(0.5 * log_variance) * noise
        new = tf.cast(tf.math.ceil(NEW_SHARE * tf.cast(count, tf.float32)), tf.int32)
        normal = keras.random.normal((new, vae.latent_dim), seed=self.random)
        uniform = keras.random.uniform((new,), seed=self.random)
        of_new = None if labels is None else labels[:new]
        others = self.sampler.codes(normal, uniform, of_new, temperature=1.0)
        return real, tf.concat([codes, others], 0), None if labels is None else tf.concat([labels, of_new], 0)

    def _decode(self, codes: Any, labels: Any) -> Any:
        """Return images on the scale 0 to 1, not clipped. Batch normalisation keeps its statistics, as in use."""
        inputs = codes if labels is None else [codes, tf.cast(labels, tf.int32)]
        values = self.vae.likelihood.mean(self.decoder(inputs, training=False))
        return values * tf.constant(self.vae.normalise.deviation) + tf.constant(self.vae.normalise.mean)

    def _detail(self, images: TrainingImages) -> float:
        """Return the contrast between neighbouring pixels in reconstructions of validation images, beside the originals'."""
        vae, sums = self.vae, np.zeros(2)
        for inputs in images.validation(batch_size=self.batch_size, limit=COMPARED, labelled=vae.conditional):
            pixels, labels = vae._pixels_and_labels(inputs)
            mean, _ = vae.encode(inputs)
            real = vae.normalise.to_unit(vae.normalise(vae.crop(pixels, random=False)))
            decoded = vae.normalise.to_unit(vae.decode(mean, labels))
            sums += [_contrast(np.asarray(decoded)), _contrast(np.asarray(real))]
        return float(sums[0] / max(sums[1], _TINY))


def _contrast(images: Any) -> float:
    """Return the sum of differences between pixels that are beside each other or above each other."""
    return float(sum(np.abs(np.diff(images, axis=axis)).sum(dtype=np.float64) for axis in (1, 2)))
