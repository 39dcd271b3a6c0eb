"""A model whose terms are known, and measurements of it and of others. No test is here."""

from typing import Any

import numpy as np

from components.evaluate.reconstruction.measure import measure
from schemas.artifacts.kinds import Examples


class Shifted:
    """A model with known terms: each reconstruction is darker by a quarter, and codes are the image's brightness."""

    def __init__(self, *, broken: bool = False, variational: bool = True) -> None:
        self.latent_dim = 3
        self.variational = variational
        self.conditional = self.binary = self.density = False
        self.prior = None
        self.broken = broken

    def terms(self, pixels: Any, noise: Any) -> dict[str, Any]:
        import tensorflow as tf

        targets = tf.cast(pixels, tf.float32) / 255.0
        brightness = tf.reduce_mean(targets, axis=(1, 2, 3))  # [B]
        mean = tf.stack([brightness * 100.0, 0.05 * brightness, tf.zeros_like(brightness)], axis=1)
        log_prob = -100.0 * brightness
        return {
            "log_prob": tf.where(brightness > 0.5, np.nan, log_prob) if self.broken else log_prob,
            "kl": tf.reduce_sum(tf.square(noise), axis=1),
            "mean": mean,
            "log_variance": tf.zeros_like(mean),
            "targets": targets,
            "reconstructions": targets - 0.25,
        }

    def log_weights(self, pixels: Any, noise: Any) -> Any:
        import tensorflow as tf

        brightness = tf.reduce_mean(tf.cast(pixels, tf.float32), axis=(1, 2, 3)) / 255.0
        return -100.0 * brightness[:, None] + 0.0 * noise[:, :, 0]


def run(
    examples: Examples, *, vae: Any = None, seed: int = 0, codes: int = 1000, images: int = 25, **options: Any
) -> Any:
    return measure(vae or Shifted(), examples=examples, seed=seed, keep_codes=codes, keep_images=images, **options)
