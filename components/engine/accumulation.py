"""A training step in parts, for batches that do not fit into memory: gradients are added up. Importing this loads TensorFlow."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf

from models.vae import VAE


def train_in_parts(vae: VAE, *, parts: int) -> None:
    """Has every step of a model's `fit` take its batch in so many parts, one after another, and move the weights once.

    The gradient is that of the whole batch. What else belongs to a batch belongs to a part: batch normalisation's
    statistics, and the mean in free bits.
    """
    vae.train_step = partial(_step, vae, parts)


def _step(vae: VAE, parts: int, inputs: Any) -> dict[str, Any]:
    weights = vae.trainable_weights
    images = tf.shape(tf.nest.flatten(inputs)[0])[0]
    parts_here = tf.minimum(parts, images)  # the last batch of an epoch may be small

    def one_more(part: tf.Tensor, total: tf.Tensor, gradients: list[tf.Tensor]) -> tuple[Any, ...]:
        first, end = images * part // parts_here, images * (part + 1) // parts_here
        some = tf.nest.map_structure(lambda values: values[first:end], inputs)
        with tf.GradientTape() as tape:
            loss = vae.compute_loss(x=some, y_pred=vae(some, training=True), training=True)
            loss *= tf.cast(end - first, loss.dtype) / tf.cast(images, loss.dtype)
            scaled = vae.optimizer.scale_loss(loss)
        found = tape.gradient(scaled, weights)
        return part + 1, total + loss, [so_far + new for so_far, new in zip(gradients, found, strict=True)]

    _, loss, gradients = tf.while_loop(
        lambda part, *_: part < parts_here,
        one_more,
        (tf.constant(0), tf.constant(0.0), [tf.zeros_like(weight) for weight in weights]),
        parallel_iterations=1,  # else the parts are in memory together after all
    )
    vae.optimizer.apply_gradients(zip(gradients, weights, strict=True))
    vae._loss_tracker.update_state(loss, sample_weight=images)
    return vae.compute_metrics(inputs, None, None)
