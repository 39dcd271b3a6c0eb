"""From raw pixels to what a network sees, and back, inside the model's graph: training and serving cannot drift apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="latent_mill")
class Normalise(keras.layers.Layer):
    """``x = (pixel / 255 - mean) / deviation``, per channel.

    Args:
        mean: One value per channel, on the scale 0 to 1.
        deviation: One value per channel, on the scale 0 to 1.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})  # bfloat16 cannot tell neighbouring pixel values apart
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]

    def call(self, pixels: Any) -> Any:
        """Pixels 0 to 255 of any dtype, [B, H, W, C], to normalised float values."""
        scaled = ops.cast(pixels, self.compute_dtype) / 255.0
        return (scaled - ops.convert_to_tensor(self.mean, scaled.dtype)) / ops.convert_to_tensor(
            self.deviation, scaled.dtype
        )

    def to_unit(self, values: Any) -> Any:
        """Normalised values back to the scale 0 to 1, clipped, in float32: [B, H, W, C]."""
        values = ops.cast(values, "float32")
        scaled = values * ops.convert_to_tensor(self.deviation, "float32") + ops.convert_to_tensor(self.mean, "float32")
        return ops.clip(scaled, 0.0, 1.0)

    def to_pixels(self, values: Any) -> Any:
        """Normalised values back to uint8 pixels, rounded and clipped: [B, H, W, C]."""
        return ops.cast(ops.round(self.to_unit(values) * 255.0), "uint8")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The same shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "mean": self.mean, "deviation": self.deviation}
