"""Normalise raw pixels, and back, inside the model's graph, so that training and serving always do the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="latent_mill")
class Normalise(keras.layers.Layer):
    """A layer that computes ``x = (pixel / 255 - mean) / deviation`` per channel.

    Args:
        mean: One value per channel, on the scale 0 to 1.
        deviation: One value per channel, on the scale 0 to 1.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})  # in bfloat16, neighbouring pixel values would be equal
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]

    def call(self, pixels: Any) -> Any:
        """Normalise pixels of any dtype, 0 to 255: [B, H, W, C] to floats of the same shape."""
        scaled = ops.cast(pixels, self.compute_dtype) / 255.0
        return (scaled - ops.convert_to_tensor(self.mean, scaled.dtype)) / ops.convert_to_tensor(
            self.deviation, scaled.dtype
        )

    def to_unit(self, values: Any) -> Any:
        """Convert normalised values to the scale 0 to 1, clipped: [B, H, W, C], float32."""
        values = ops.cast(values, "float32")
        scaled = values * ops.convert_to_tensor(self.deviation, "float32") + ops.convert_to_tensor(self.mean, "float32")
        return ops.clip(scaled, 0.0, 1.0)

    def to_pixels(self, values: Any) -> Any:
        """Convert normalised values to pixels, rounded and clipped: [B, H, W, C], uint8."""
        return ops.cast(ops.round(self.to_unit(values) * 255.0), "uint8")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {**super().get_config(), "mean": self.mean, "deviation": self.deviation}
