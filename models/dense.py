"""Fully connected networks."""

from __future__ import annotations

import math

import keras
from keras import layers

from models.posterior import limited
from schemas.recipe import DenseModel


def build_encoder(settings: DenseModel, *, image_shape: tuple[int, int, int]) -> keras.Model:
    """Images [B, H, W, C] to the posterior's mean and log-variance, [B, D] each."""
    images = keras.Input(image_shape, name="images")
    x = layers.Flatten()(images)
    for units in settings.hidden:
        x = layers.Activation(settings.activation)(layers.Dense(units)(x))
    mean = layers.Dense(settings.latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(settings.latent_dim, dtype="float32", name="log_variance")(x)
    return keras.Model(images, [mean, limited(log_variance, settings)], name="encoder")


def build_decoder(settings: DenseModel, *, image_shape: tuple[int, int, int]) -> keras.Model:
    """Codes [B, D] to the likelihood's outputs [B, H, W, C] (before its activation)."""
    codes = keras.Input((settings.latent_dim,), name="codes")
    x = codes
    for units in reversed(settings.hidden):
        x = layers.Activation(settings.activation)(layers.Dense(units)(x))
    x = layers.Dense(math.prod(image_shape), dtype="float32")(x)
    outputs = layers.Reshape(image_shape, dtype="float32")(x)
    return keras.Model(codes, outputs, name="decoder")
