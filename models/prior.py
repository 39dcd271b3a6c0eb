"""A learned prior: a mixture of normal distributions, trained with the networks."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from models.code_samplers import LearnedPrior


@keras.saving.register_keras_serializable(package="latent_mill")
class MixturePrior(keras.layers.Layer):
    """The mixture ``p(z) = Σ_k π_k N(z; μ_k, diag σ_k²)``, whose shares, means and deviations are weights.

    The best prior of a VAE is the aggregate posterior of its training images (Tomczak & Welling 2018, "VAE with a VampPrior",
    equation 4), which is not a normal distribution if there are several kinds of images. This is the MoG prior of that article.

    With labels, p(z | label): all labels have the same components, and each label its own shares.

    Args:
        components: K.
        latent_dim: D.
        labels: Number of labels of a conditional model; otherwise 0.
        seed: Seed of the initial means.
    """

    def __init__(self, components: int, latent_dim: int, *, labels: int = 0, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.components = components
        self.latent_dim = latent_dim
        self.labels = labels
        self.seed = seed

    def build(self, input_shape: Any = None) -> None:
        """Create the weights: components of variance ¾ around means of variance ¼, together about N(0, I)."""
        shape = (self.components, self.latent_dim)
        means = keras.initializers.RandomNormal(stddev=0.5, seed=self.seed)
        log_deviations = keras.initializers.Constant(0.5 * math.log(0.75))
        self.logits = self.add_weight(name="logits", shape=(max(self.labels, 1), self.components), initializer="zeros")
        self.means = self.add_weight(name="means", shape=shape, initializer=means)
        self.log_deviations = self.add_weight(name="log_deviations", shape=shape, initializer=log_deviations)
        self.built = True

    def call(self, codes: Any, labels: Any = None) -> Any:
        """Return ``log p(z) + D/2 · log 2π`` of codes [B, D], with labels [B] if the prior has labels: [B], nats.

        For N(0, I) this is ``-½ |z|²``.
        """
        precisions = ops.exp(-2.0 * self.log_deviations)  # [K, D]
        # |(z - μ) / σ|², multiplied out, so that no tensor [B, K, D] is needed.
        distances = (
            ops.matmul(ops.square(codes), ops.transpose(precisions))
            - 2.0 * ops.matmul(codes, ops.transpose(self.means * precisions))
            + ops.sum(ops.square(self.means) * precisions, axis=-1)
        )
        shares = ops.log_softmax(self.logits, axis=-1)  # [L, K]
        shares = ops.take(shares, ops.cast(labels, "int32"), axis=0) if self.labels else shares
        return ops.logsumexp(shares - ops.sum(self.log_deviations, axis=-1) - 0.5 * distances, axis=-1)

    def sampler(self, latent_dim: int) -> LearnedPrior:
        """Return a sampler of codes with `latent_dim` dimensions, with the current weights."""
        logits, means, log_deviations = (
            np.asarray(ops.convert_to_numpy(weight), np.float64)
            for weight in (self.logits, self.means, self.log_deviations)
        )
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return LearnedPrior(
            (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32),
            means.astype(np.float32),
            np.exp(log_deviations).astype(np.float32),
            latent_dim,
        )

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {
            **super().get_config(),
            "components": self.components,
            "latent_dim": self.latent_dim,
            "labels": self.labels,
            "seed": self.seed,
        }
