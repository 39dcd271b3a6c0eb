"""Precise statistics of batch normalisation for inference. Importing this module loads TensorFlow.

Keras updates a moving average (momentum 0.99) while the weights still move. After few steps it is mostly its initial value,
and it lags at the end of every epoch: on fashion_bn that costs some 2 nats of validation loss. So before a model is
validated, the statistics are averaged over fresh batches under the current weights: PreciseBN, Wu & Johnson 2021,
"Rethinking 'Batch' in BatchNorm", section 3.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from components.examples.dataset import batch_count
from models.vae import VAE

IMAGES = 4096  # over which the statistics are averaged


class PreciseBatchNorm(keras.callbacks.Callback):
    """Measures the statistics before each validation. Training itself never reads them.

    Args:
        data: Batches of `IMAGES` training images.
    """

    def __init__(self, data: tf.data.Dataset) -> None:
        super().__init__()
        self.data = data
        self.forward: tf.types.experimental.PolymorphicFunction | None = None

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Measure the statistics of the model that is about to be validated."""
        self.measure(self.model)

    def measure(self, vae: VAE) -> None:
        """Set every batch normalisation's mean and variance to their averages over the batches, which nothing augments."""
        layers = [layer for layer in vae._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
        if not layers:
            return
        momenta, augment = [layer.momentum for layer in layers], vae.augment
        for layer in layers:
            layer.momentum = 0.0  # so that each batch leaves its own statistics in the layer
        vae.augment = None
        try:
            if self.forward is None:
                self.forward = tf.function(lambda inputs: vae(inputs, training=True), reduce_retracing=True)
            total, images = [np.zeros(1)] * (2 * len(layers)), 0
            for inputs in self.data:
                self.forward(inputs)
                count = batch_count(inputs)
                values = [value.numpy() for layer in layers for value in (layer.moving_mean, layer.moving_variance)]
                total = [old + count * value.astype(np.float64) for old, value in zip(total, values, strict=True)]
                images += count
            for layer, mean, variance in zip(layers, total[::2], total[1::2], strict=True):
                layer.moving_mean.assign(mean / images)
                layer.moving_variance.assign(variance / images)
        finally:
            vae.augment = augment
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
