"""How a network takes the label: Sohn et al. 2015, "Learning Structured Output Representation using Deep Conditional
Generative Models"; encoder q(z|x, y) and decoder p(x|z, y).

As a one-hot vector beside the input of the first layer: that layer's weights for it are then a learned vector per label,
which is what an embedding would be, without its size to choose.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def label_input(count: int) -> tuple[Any, Any]:
    """Labels [B], from 0, and their one-hot vectors [B, count]."""
    labels = keras.Input((), dtype="int32", name="labels")
    return labels, ops.one_hot(labels, count)


def beside(x: Any, one_hot: Any) -> Any:
    """What a dense layer takes: [B, F] and [B, K] to [B, F + K]."""
    return layers.Concatenate()([x, one_hot])


def on_map(x: Any, one_hot: Any) -> Any:
    """Adds a learned vector per label to every place of a first convolution's output: [B, H, W, F].

    That is what K constant planes beside the image would come to, save at its rim, without K planes to convolve.
    """
    filters = x.shape[-1]
    shift = layers.Dense(filters, use_bias=False)(one_hot)
    return layers.Add()([x, layers.Reshape((1, 1, filters))(shift)])
