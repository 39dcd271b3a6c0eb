"""The peer of `train`: a training step as the articles write it, on the same layers."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.examples.dataset import prefetched
from models.kl import kl_divergence
from models.vae import VAE


class PlainLoop:
    """A `tf.function` with a GradientTape over float32 images in memory.

    Args:
        vae: The network; its encoder, decoder and likelihood are used.
        pixels: The images: [N, H, W, C], uint8.
        batch_size: Images per step.
        learning_rate: Adam's.
        jit: Compile the step with XLA.
    """

    def __init__(
        self, vae: VAE, pixels: NDArray[np.uint8], *, batch_size: int, learning_rate: float, jit: bool = False
    ) -> None:
        optimizer = keras.optimizers.Adam(learning_rate)
        images = pixels.astype(np.float32) / 255.0
        # Read ahead as our own data is (components/examples/dataset.py), so that the difference is in the steps alone.
        self.data = prefetched(tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(batch_size))

        def step(images: Any) -> Any:
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

        self.step = tf.function(step, reduce_retracing=True, jit_compile=jit)

    def epoch(self) -> float:
        """Train for one epoch; return the seconds."""
        start = time.perf_counter()
        loss: Any = 0.0
        for images in self.data:
            loss = self.step(images)
        float(loss)  # waits for the last step
        return time.perf_counter() - start
