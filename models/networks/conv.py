"""Convolutional encoder, and decoder of transposed convolutions."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from models.networks.label import add_label, append_label, label_input
from models.posterior import clip_log_variance
from schemas.recipe.model import ConvModel


def build_encoder(settings: ConvModel, *, image_shape: tuple[int, int, int], labels: int = 0) -> keras.Model:
    """Build the network from images [B, H, W, C] (and labels [B]) to the posterior's mean and log-variance, [B, D] each."""
    inputs = x = images = keras.Input(image_shape, name="images")
    for number, (filters, stride) in enumerate(settings.encoder):
        x = layers.Conv2D(filters, settings.kernel_size, strides=stride, padding="same")(x)
        if labels and number == 0:
            label, one_hot = label_input(labels)
            inputs, x = [images, label], add_label(x, one_hot)
        x = _normalised_activation(x, settings)
    x = layers.Flatten()(x)
    for units in settings.hidden:
        x = layers.Dense(units)(x)
        x = _activation(settings)(x)
    mean = layers.Dense(settings.latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(
        settings.latent_dim,
        kernel_initializer="zeros" if settings.zero_log_variance else "glorot_uniform",
        dtype="float32",
        name="log_variance",
    )(x)
    return keras.Model(inputs, [mean, clip_log_variance(log_variance, settings)], name="encoder")


def build_decoder(
    settings: ConvModel, *, image_shape: tuple[int, int, int], outputs: int, labels: int = 0
) -> keras.Model:
    """Build the network from codes [B, D] (and labels [B]) to the likelihood's outputs [B, H, W, outputs]."""
    height, width, _ = image_shape
    stride = math.prod(stride for _, stride in settings.decoder) * settings.output_stride
    base = (height // stride, width // stride, settings.base_filters)
    inputs = x = keras.Input((settings.latent_dim,), name="codes")
    if labels:
        label, one_hot = label_input(labels)
        inputs, x = [x, label], append_label(x, one_hot)
    x = layers.Dense(math.prod(base), activation=settings.base_activation)(x)
    x = layers.Reshape(base)(x)
    for filters, layer_stride in settings.decoder:
        x = layers.Conv2DTranspose(filters, settings.kernel_size, strides=layer_stride, padding="same")(x)
        x = _normalised_activation(x, settings, linear=settings.decoder_activation == "linear")
    image = layers.Conv2DTranspose(
        outputs, settings.kernel_size, strides=settings.output_stride, padding="same", dtype="float32"
    )(x)
    return keras.Model(inputs, image, name="decoder")


def _normalised_activation(x: Any, settings: ConvModel, *, linear: bool = False) -> Any:
    """Apply batch normalisation and activation, in the order that the settings say."""
    if settings.batch_norm == "before":
        x = layers.BatchNormalization()(x)
    if not linear:
        x = _activation(settings)(x)
    if settings.batch_norm == "after":
        x = layers.BatchNormalization()(x)
    return x


def _activation(settings: ConvModel) -> keras.Layer:
    if settings.activation == "leaky_relu":
        return layers.LeakyReLU(negative_slope=settings.negative_slope)
    return layers.ReLU()
