"""The peer that `train` is timed beside: a training step as the articles write it, on the same layers."""

from __future__ import annotations

import math
import time

import keras
import numpy as np
import tensorflow as tf

from components.examples.dataset import ahead
from components.examples.training_images import TrainingImages
from models.kl import kl_divergence
from models.vae import VAE


class PlainLoop:
    """A `tf.function` with a GradientTape over float32 images in memory."""

    def __init__(
        self, vae: VAE, pixels: np.ndarray, *, batch_size: int, learning_rate: float, jit: bool = False
    ) -> None:
        optimizer = keras.optimizers.Adam(learning_rate)
        images = pixels.astype(np.float32) / 255.0
        # Spared what an iterator's end costs otherwise (components/examples/dataset.py), so that its steps are what is timed.
        self.data = ahead(tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(batch_size))

        @tf.function(reduce_retracing=True, jit_compile=jit)
        def step(images: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                mean, log_variance = vae.encoder(images, training=True)
                codes = mean
                if vae.kl != "none":
                    codes += tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
                loss = vae.likelihood.loss(images, vae.decoder(codes, training=True))
                if vae.kl != "none":
                    loss += kl_divergence(mean, log_variance) / (vae.latent_dim if vae.kl == "mean" else 1)
                loss = tf.reduce_mean(loss)
            weights = vae.encoder.trainable_weights + vae.decoder.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        self.step = step

    def epoch(self) -> float:
        """Seconds of one epoch."""
        began = time.perf_counter()
        for images in self.data:
            loss = self.step(images)
        float(loss)
        return time.perf_counter() - began


def our_epoch(vae: VAE, images: TrainingImages, *, batch_size: int, count: int) -> float:
    """Seconds of one epoch of `train`'s loop over the first so many images: input, metrics, `fit`."""
    data = images.training(batch_size=batch_size, seed=0, epochs=1, limit=count)
    began = time.perf_counter()
    vae.fit(data, steps_per_epoch=math.ceil(count / batch_size), epochs=1, shuffle=False, verbose=0)
    return time.perf_counter() - began
