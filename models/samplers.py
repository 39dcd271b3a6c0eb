"""Where codes come from: the posterior of an image."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from models.batch import WholeBatch


@keras.saving.register_keras_serializable(package="latent_mill")
class PosteriorSampler(keras.layers.Layer):
    """``z = μ + exp(0.5 · log σ²) · ε`` with ε from N(0, I): Kingma & Welling 2014, equation 4.

    Args:
        seed: Where the noise starts. Keras saves no random states: a loaded model starts anew, and a training that
            goes on keeps them itself.
    """

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})  # codes are few, and what is drawn is small beside them
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.batch = WholeBatch()

    def call(self, mean: Any, log_variance: Any, noise: Any = None) -> Any:
        """Codes [B, D]; noise [B, D] is drawn unless it is given."""
        if noise is None:
            noise = self.draw(*ops.shape(mean))
        return mean + ops.exp(0.5 * log_variance) * ops.cast(noise, mean.dtype)

    def draw(self, images: Any, size: int) -> Any:
        """Noise: [images, size], float32."""

        def normal(count: Any) -> Any:
            return keras.random.normal((count, size), dtype="float32", seed=self.seed_generator)

        return self.batch.draw(normal, images)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "seed": self.seed}
