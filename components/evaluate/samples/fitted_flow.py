"""A flow fitted to the posteriors of training images: conditional flow matching, Lipman et al. 2023. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.examples.training_images import TrainingImages
from components.latents.fitted_samplers import UNUSED
from components.latents.posteriors import Posteriors, posteriors_of
from components.latents.sampler_file import read_sampler, save_sampler
from models.code_samplers import Mixture
from models.flow import Flow, FlowNetwork, Modulation, velocity
from models.vae import VAE

BLOCKS, WIDTH = 3, 512  # of the network
BATCH = 256
MAX_CODES = 60_000  # that a flow is fitted to
MAX_STEPS = 8_000  # of training
EPOCHS = 150  # of training at most, where codes are few
CHECKED = 250  # steps of training between looks at held-out codes
PATIENCE = 6  # looks without a better one, after which training ends
DRAWS = 8  # positions for each held-out posterior
LEARNING_RATE = 3e-3
WARM_UP = 200  # steps over which the learning rate rises
AVERAGE = 0.999  # of the weights' moving average
_FREQUENCIES, _TIME_UNITS = 16, 128  # of the network that turns a time into a modulation
_FIRST, _SECOND = 0.9, 0.99  # Adam's moving averages

Floats = NDArray[np.float32]
Tensor = Any
Weights = dict[str, Any]
Bar = Callable[..., AbstractContextManager[Callable[[int], None]]]


def fit_flow_to_images(
    vae: VAE,
    images: TrainingImages,
    *,
    mixture: Mixture,
    steps: int,
    seed: int,
    bar: Bar,
    saved: Path | None = None,
) -> Flow | str:
    """Fit a flow to the posteriors of training images, until it is the best for those of validation images.

    Args:
        vae: The model.
        images: Its images.
        mixture: A mixture fitted to them, whose components are the groups of codes.
        steps: Steps in which the flow is followed.
        seed: Seed of everything that is drawn.
        bar: Opens a progress bar: ``bar(description, total=…)``.
        saved: File of the flow: where it exists, it is loaded instead of fitted. None: it is not saved.

    Returns:
        The flow; or why there is none, as a clause.
    """
    if saved and saved.is_file():
        sampler = read_sampler(saved)
        assert isinstance(sampler, Flow)
        return sampler
    training, held_out = (
        posteriors_of(vae, images, split, limit=MAX_CODES, seed=seed) for split in ("train", "validation")
    )
    with bar("flow", total=training_steps(len(training.means))) as update:
        flow = fit_flow(training, held_out, mixture=mixture, steps=steps, seed=seed, progress=update)
    if saved and isinstance(flow, Flow):
        save_sampler(flow, saved)
    return flow


def fit_flow(
    training: Posteriors,
    held_out: Posteriors,
    *,
    mixture: Mixture,
    steps: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Flow | str:
    """Fit a flow to posteriors; the one that matches held-out posteriors best is taken, after every `CHECKED` steps.

    Args:
        training: The posteriors to fit it to.
        held_out: Posteriors of images that the model was not trained on.
        mixture: A mixture whose components are the groups of codes.
        steps: Steps in which the flow is followed.
        seed: Seed of everything that is drawn.
        progress: Called with the number of training steps done.

    Returns:
        The flow; or why there is none, as a clause.
    """
    fit = _Fit(training, held_out, mixture=mixture, seed=seed)
    if not len(fit.used):
        return "no latent dimension is in use"
    weights = fit.best_weights(progress)
    if weights is None:
        return "in its training, or for a validation image, numbers are not finite"
    return fit.flow(weights, np.linspace(0.0, 1.0, steps + 1, dtype=np.float32))


def training_steps(count: int) -> int:
    """Return the number of training steps at most for `count` posteriors, a multiple of `CHECKED`."""
    return math.ceil(min(MAX_STEPS, EPOCHS * count / BATCH) / CHECKED) * CHECKED


class _Fit:
    """A flow in training; see `fit_flow`."""

    def __init__(self, training: Posteriors, held_out: Posteriors, *, mixture: Mixture, seed: int) -> None:
        means, variances = training.means.astype(np.float64), np.exp(training.log_variances.astype(np.float64))
        kl = 0.5 * (np.square(means) + variances - np.log(variances) - 1.0).mean(axis=0)
        self.used = np.flatnonzero(kl >= UNUSED)
        self.latent_dim = means.shape[1]
        self.means = means.mean(axis=0)[self.used]
        self.deviations = np.sqrt(means.var(axis=0) + variances.mean(axis=0))[self.used]
        self.seed, self.steps = seed, training_steps(len(means))
        self.mixture = mixture
        self.centres, self.spreads, self.groups = self._standardised(training)
        random = np.random.default_rng(seed)
        rows = np.tile(np.arange(len(held_out.means)), DRAWS)
        self.held_out = [tf.gather(values, rows) for values in self._standardised(held_out)]
        self.held_out_noise = tf.constant(random.standard_normal((len(rows), len(self.used)), np.float32))
        self.held_out_times = tf.constant(random.random((len(rows), 1), np.float32))
        self.variance = tf.constant(np.var(self.centres, axis=0))  # [U], of the means
        self.spread = tf.constant(np.mean(self.spreads, axis=0))
        self.weights = _variables(_initial_weights(len(self.used), mixture.shares.size, random))
        self.average = _variables(self.weights)
        self.first, self.second = (
            _variables({name: tf.zeros_like(values) for name, values in self.weights.items()}) for _ in range(2)
        )
        self.train = tf.function(self._train)
        self.held_out_loss = tf.function(self._held_out_loss)

    def _standardised(self, posteriors: Posteriors) -> tuple[Tensor, Tensor, Tensor]:
        """Return means and deviations of posteriors in the dimensions in use, on the scale of the flow; and their groups."""
        means = (posteriors.means[:, self.used] - self.means) / self.deviations
        spreads = np.exp(0.5 * posteriors.log_variances[:, self.used].astype(np.float64)) / self.deviations
        groups = self.mixture.components(posteriors.means, posteriors.labels)
        if posteriors.labels is not None:
            groups += posteriors.labels * self.mixture.shares.shape[1]
        return tf.constant(means.astype(np.float32)), tf.constant(spreads.astype(np.float32)), tf.constant(groups)

    def best_weights(self, progress: Callable[[int], None]) -> Weights | None:
        """Train; return the weights that match held-out posteriors best, or None if no loss is a finite number."""
        best, best_loss, looks = None, math.inf, 0
        for done in range(0, self.steps, CHECKED):
            self.train(tf.constant(done))
            loss = float(self.held_out_loss())
            looks = 0 if loss < best_loss else looks + 1
            if loss < best_loss:
                best, best_loss = self._copy(), loss
            progress(done + CHECKED)
            if looks == PATIENCE or not math.isfinite(loss):
                break
        return best

    def _copy(self) -> Weights:
        return {name: tf.identity(values) for name, values in self.average.items()}

    def flow(self, weights: Weights, times: Floats) -> Flow:
        """Return the flow of these weights, followed from each time to the next."""
        modulation = self._modulation(weights, tf.constant(times[:, None]))
        sizes = np.bincount(np.asarray(self.groups), minlength=self.mixture.shares.size).reshape(
            self.mixture.shares.shape
        )
        of_label = np.where(sizes.sum(axis=1, keepdims=True) > 0, sizes, self.mixture.shares)  # a label without images
        return Flow(
            shares=(of_label / of_label.sum(axis=1, keepdims=True)).astype(np.float32),
            used=self.used.astype(np.int32),
            means=self.means.astype(np.float32),
            deviations=self.deviations.astype(np.float32),
            times=times,
            network=FlowNetwork(**{field.name: weights[field.name].numpy() for field in fields(FlowNetwork)}),
            modulation=Modulation(**{name: values.numpy() for name, values in vars(modulation).items()}),
            latent_dim=self.latent_dim,
        )

    def _modulation(self, weights: Weights, times: Tensor) -> Modulation:
        """Return the modulation of times [N, 1].

        The gain starts with the best linear velocity for means and deviations that are independent of each other.
        """
        angles = 2.0 * math.pi * times * np.geomspace(0.25, 8.0, _FREQUENCIES).astype(np.float32)
        units = tf.nn.silu(tf.concat([tf.sin(angles), tf.cos(angles)], 1) @ weights["time_in"] + weights["time_bias"])
        dims, (blocks, width) = len(self.used), weights["first_bias"].shape
        scale, shift, gain, drift = tf.split(
            units @ weights["time_out"], [(blocks + 1) * width, (blocks + 1) * width, dims, dims], axis=1
        )
        kept = 1.0 - (1.0 - self.spread) * times
        linear = (times * self.variance - (1.0 - self.spread) * kept) / (
            tf.square(times) * self.variance + tf.square(kept)
        )
        shape = (-1, blocks + 1, width)
        return Modulation(1.0 + tf.reshape(scale, shape), tf.reshape(shift, shape), linear + gain, drift)

    def _loss(
        self, weights: Weights, means: Tensor, spreads: Tensor, groups: Tensor, *, noise: Tensor, times: Tensor
    ) -> Tensor:
        """Return the loss of conditional flow matching: Lipman et al. 2023, equation 23.

        Each posterior's own deviation takes the place of σ_min, so that the flow ends at the aggregate posterior.
        """
        positions = times * means + (1.0 - (1.0 - spreads) * times) * noise
        network = FlowNetwork(**{field.name: weights[field.name] for field in fields(FlowNetwork)})
        learned = velocity(network, self._modulation(weights, times), positions, groups)
        return tf.reduce_mean(tf.reduce_sum(tf.square(learned - (means - (1.0 - spreads) * noise)), axis=1))

    def _held_out_loss(self) -> Tensor:
        return self._loss(self.average, *self.held_out, noise=self.held_out_noise, times=self.held_out_times)

    def _train(self, start: Tensor) -> None:
        """Do `CHECKED` steps of Adam (Kingma & Ba 2015); what a step draws depends on (seed, step)."""
        for step in tf.range(start, start + CHECKED):
            rows = tf.random.stateless_uniform([BATCH], [self.seed, 3 * step], 0, len(self.centres), tf.int32)
            noise = tf.random.stateless_normal([BATCH, len(self.used)], [self.seed, 3 * step + 1])
            places = tf.random.stateless_uniform([BATCH], [self.seed, 3 * step + 2])
            times = ((tf.range(BATCH, dtype=tf.float32) + places) / BATCH)[
                :, None
            ]  # one in each part of a batch's length
            with tf.GradientTape() as tape:
                loss = self._loss(
                    self.weights,
                    tf.gather(self.centres, rows),
                    tf.gather(self.spreads, rows),
                    tf.gather(self.groups, rows),
                    noise=noise,
                    times=times,
                )
            gradients = tape.gradient(loss, self.weights, unconnected_gradients="zero")
            self._update(gradients, tf.cast(step, tf.float32))

    def _update(self, gradients: Weights, step: Tensor) -> None:
        rate = LEARNING_RATE * tf.minimum(1.0, (step + 1.0) / WARM_UP)
        rate *= 0.5 * (1.0 + tf.cos(math.pi * step / self.steps))
        kept = tf.minimum(AVERAGE, (1.0 + step) / (10.0 + step))
        corrections = [1.0 - tf.pow(decay, step + 1.0) for decay in (_FIRST, _SECOND)]
        for name, gradient in gradients.items():
            gradient = tf.convert_to_tensor(gradient)  # that of groups has only the rows of the batch
            first, second = self.first[name], self.second[name]
            first.assign(_FIRST * first + (1.0 - _FIRST) * gradient)
            second.assign(_SECOND * second + (1.0 - _SECOND) * tf.square(gradient))
            change = (first / corrections[0]) / (tf.sqrt(second / corrections[1]) + 1e-8)
            self.weights[name].assign_sub(rate * change)
            self.average[name].assign(kept * self.average[name] + (1.0 - kept) * self.weights[name])


def _variables(values: Weights) -> Weights:
    return {name: tf.Variable(tf.identity(value)) for name, value in values.items()}


def _initial_weights(dims: int, groups: int, random: np.random.Generator) -> Weights:
    """Return the weights before training, whose velocity is the linear one."""

    def normal(*shape: int) -> Floats:
        return (random.standard_normal(shape) / math.sqrt(shape[-2])).astype(np.float32)

    def zeros(*shape: int) -> Floats:
        return np.zeros(shape, np.float32)

    return {
        "enter": normal(dims, WIDTH),
        "group": random.standard_normal((groups, WIDTH)).astype(np.float32),
        "first": normal(BLOCKS, WIDTH, WIDTH),
        "first_bias": zeros(BLOCKS, WIDTH),
        "second": zeros(BLOCKS, WIDTH, WIDTH),
        "leave": zeros(WIDTH, dims),
        "time_in": normal(2 * _FREQUENCIES, _TIME_UNITS),
        "time_bias": zeros(_TIME_UNITS),
        "time_out": zeros(_TIME_UNITS, 2 * ((BLOCKS + 1) * WIDTH + dims)),
    }
