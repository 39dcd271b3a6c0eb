"""A training step in parts, for batches that do not fit into memory. Importing this module loads TensorFlow."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

from models.vae import VAE


def train_in_parts(vae: VAE, *, parts: int) -> None:
    """Make every step of a model's `fit` take its batch in `parts` parts, one after another, and move the weights once.

    The parts' gradients add up to the gradient of the whole batch. Batch normalisation's statistics and the mean in free bits
    are those of a part.
    """
    vae.train_step = partial(_step, vae, parts)


def _step(vae: VAE, parts: int, inputs: Any) -> dict[str, Any]:
    weights = vae.trainable_weights
    images = tf.shape(tf.nest.flatten(inputs)[0])[0]
    part_count = tf.minimum(parts, images)  # the last batch of an epoch may be small

    def add_part(part: tf.Tensor, total: tf.Tensor, gradients: list[tf.Tensor]) -> tuple[Any, ...]:
        first, end = images * part // part_count, images * (part + 1) // part_count
        inputs_of_part = tf.nest.map_structure(lambda values: values[first:end], inputs)
        with tf.GradientTape() as tape:
            loss = vae.compute_loss(x=inputs_of_part, y_pred=vae(inputs_of_part, training=True), training=True)
            loss *= tf.cast(end - first, loss.dtype) / tf.cast(images, loss.dtype)
            scaled = vae.optimizer.scale_loss(loss)
        new_gradients = tape.gradient(scaled, weights)
        return part + 1, total + loss, [old + new for old, new in zip(gradients, new_gradients, strict=True)]

    _, loss, gradients = tf.while_loop(
        lambda part, *_: part < part_count,
        add_part,
        (tf.constant(0), tf.constant(0.0), [tf.zeros_like(weight) for weight in weights]),
        parallel_iterations=1,  # otherwise several parts are in memory at once
    )
    vae.optimizer.apply_gradients(zip(gradients, weights, strict=True))
    vae._loss_tracker.update_state(loss, sample_weight=images)
    metrics: dict[str, Any] = vae.compute_metrics(inputs, None, None)
    return metrics
