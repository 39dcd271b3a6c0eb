"""Fully connected encoder and decoder."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from models.networks.label import append_label, label_input
from models.posterior import clip_log_variance
from schemas.recipe.model import DenseModel


def build_encoder(settings: DenseModel, *, image_shape: tuple[int, int, int], labels: int = 0) -> keras.Model:
    """Build the network from images [B, H, W, C] (and labels [B]) to the posterior's mean and log-variance, [B, D] each."""
    inputs = images = keras.Input(image_shape, name="images")
    x = layers.Flatten()(images)
    if labels:
        label, one_hot = label_input(labels)
        inputs, x = [images, label], append_label(x, one_hot)
    for units in settings.hidden:
        x = _hidden(x, units, settings)
    mean = layers.Dense(settings.latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(settings.latent_dim, dtype="float32", name="log_variance")(x)
    return keras.Model(inputs, [mean, clip_log_variance(log_variance, settings)], name="encoder")


def build_decoder(
    settings: DenseModel, *, image_shape: tuple[int, int, int], outputs: int, labels: int = 0
) -> keras.Model:
    """Build the network from codes [B, D] (and labels [B]) to the likelihood's outputs [B, H, W, outputs]."""
    inputs = x = keras.Input((settings.latent_dim,), name="codes")
    if labels:
        label, one_hot = label_input(labels)
        inputs, x = [x, label], append_label(x, one_hot)
    for units in reversed(settings.hidden):
        x = _hidden(x, units, settings)
    shape = (*image_shape[:2], outputs)
    x = layers.Dense(math.prod(shape), dtype="float32")(x)
    return keras.Model(inputs, layers.Reshape(shape, dtype="float32")(x), name="decoder")


def _hidden(x: Any, units: int, settings: DenseModel) -> Any:
    """Apply a hidden layer with its activation: [B, F] to [B, units].

    `glu` is the gated linear unit of Dauphin et al. 2017, equation 1, which Tomczak & Welling 2018 use in their networks too.
    """
    if settings.activation == "glu":
        return layers.Multiply()([layers.Dense(units)(x), layers.Dense(units, activation="sigmoid")(x)])
    return layers.Activation(settings.activation)(layers.Dense(units)(x))
