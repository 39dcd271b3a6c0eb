"""How encoder q(z|x, y) and decoder p(x|z, y) of a conditional model take the label.

Sohn et al. 2015, "Learning Structured Output Representation using Deep Conditional Generative Models". The label is a one-hot
vector, joined to the input of the first layer. The weights of that layer then hold a learned vector per label, as an embedding
would, without an embedding size to choose.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def label_input(count: int) -> tuple[Any, Any]:
    """Return an input of labels [B], numbers from 0, and their one-hot vectors [B, count]."""
    labels = keras.Input((), dtype="int32", name="labels")
    return labels, ops.one_hot(labels, count)


def append_label(x: Any, one_hot: Any) -> Any:
    """Append the label to the input of a dense layer: [B, F] and [B, K] to [B, F + K]."""
    return layers.Concatenate()([x, one_hot])


def add_label(x: Any, one_hot: Any) -> Any:
    """Add a learned vector per label to every position of the first convolution's output: [B, H, W, F].

    Except at the border, this equals K constant planes appended to the image, without the cost of convolving K planes.
    """
    filters = x.shape[-1]
    shift = layers.Dense(filters, use_bias=False)(one_hot)
    return layers.Add()([x, layers.Reshape((1, 1, filters))(shift)])
