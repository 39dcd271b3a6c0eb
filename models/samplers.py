"""Draw codes from the posterior of an image."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from models.batch import WholeBatch


@keras.saving.register_keras_serializable(package="latent_mill")
class PosteriorSampler(keras.layers.Layer):
    """A layer that draws ``z = μ + exp(0.5 · log σ²) · ε``, with ε from N(0, I): Kingma & Welling 2014, equation 4.

    Args:
        seed: Seed of the noise. Keras does not save random states: a loaded model starts again from the seed, and training saves
            the states itself to resume.
    """

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})  # codes are few, and noise may be small beside them
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.batch = WholeBatch()

    def call(self, mean: Any, log_variance: Any, noise: Any = None) -> Any:
        """Return codes [B, D], from this noise [B, D] or from new noise."""
        if noise is None:
            noise = self.draw(*ops.shape(mean))
        return mean + ops.exp(0.5 * log_variance) * ops.cast(noise, mean.dtype)

    def draw(self, images: Any, size: int) -> Any:
        """Draw noise: [images, size], float32."""

        def normal(count: Any) -> Any:
            return keras.random.normal((count, size), dtype="float32", seed=self.seed_generator)

        return self.batch.draw(normal, images)

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {**super().get_config(), "seed": self.seed}
