"""Residual encoder and decoder with group normalisation, for images of any size.

Residual blocks: He et al. 2016, "Identity Mappings in Deep Residual Networks". Group normalisation: Wu & He 2018. A second level
of latents, whose posterior depends on the first level's code: Sønderby et al. 2016, "Ladder Variational Autoencoders". The second
posterior is relative to the prior, as in Vahdat & Kautz 2020, "NVAE", section 3.2, so that the prior of both levels is N(0, I).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from models.networks.label import add_label, append_label, label_input
from models.posterior import clip_log_variance
from schemas.recipe.model import ResnetModel

GROUPS = 8  # groups of channels, each normalised on its own


def build_encoder(settings: ResnetModel, *, image_shape: tuple[int, int, int], labels: int = 0) -> keras.Model:
    """Build the network from images [B, H, W, C] (and labels [B]) to the posterior's mean and log-variance, [B, D] each.

    With a second level, these are the first level's, and a third output are the features that `build_local_encoder` takes:
    [B, h, w, F].
    """
    inputs = x = images = keras.Input(image_shape, name="images")
    for number, width in enumerate(settings.widths):
        stride = 2 if number else settings.patch
        x = layers.Conv2D(width, max(3, stride), strides=stride, padding="same")(x)
        if labels and number == 0:
            label, one_hot = label_input(labels)
            inputs, x = [images, label], add_label(x, one_hot)
        x = _blocks(x, settings)
    features = _normalised_activation(x, settings)
    x = layers.Flatten()(features)
    mean = layers.Dense(settings.latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(settings.latent_dim, dtype="float32", name="log_variance")(x)
    outputs = [mean, clip_log_variance(log_variance, settings)]
    return keras.Model(inputs, [*outputs, features] if settings.local_latents else outputs, name="encoder")


def build_local_encoder(settings: ResnetModel, *, image_shape: tuple[int, int, int]) -> keras.Model | None:
    """Build the network from features [B, h, w, F] and codes of the first level [B, D] to the second level's posterior.

    Its outputs are mean and log-variance, [B, h·w·k] each. Returns None if there is no second level.
    """
    if not settings.local_latents:
        return None
    height, width = map_sizes(settings, image_shape=image_shape)[-1]
    filters = settings.widths[-1]
    features = keras.Input((height, width, filters), name="features")
    codes = keras.Input((settings.latent_dim,), name="codes")
    x = layers.Conv2D(filters, 1)(features)
    x = layers.Add()([x, layers.Reshape((height, width, filters))(layers.Dense(height * width * filters)(codes))])
    x = _normalised_activation(_block(x, settings), settings)
    mean, log_variance = (
        layers.Flatten(dtype="float32")(
            layers.Conv2D(settings.local_latents, 3, padding="same", dtype="float32", name=name)(x)
        )
        for name in ("local_mean", "local_log_variance")
    )
    return keras.Model([features, codes], [mean, clip_log_variance(log_variance, settings)], name="local_encoder")


def build_decoder(
    settings: ResnetModel, *, image_shape: tuple[int, int, int], outputs: int, labels: int = 0
) -> keras.Model:
    """Build the network from codes [B, D] (and labels [B]) to the likelihood's outputs [B, H, W, outputs].

    A code is the first level's code, followed by the second level's.
    """
    sizes = map_sizes(settings, image_shape=image_shape)
    height, width = sizes[-1]
    local = height * width * settings.local_latents
    inputs = codes = keras.Input((settings.latent_dim + local,), name="codes")
    x, *second = ops.split(codes, [settings.latent_dim], axis=-1) if local else [codes]
    if labels:
        label, one_hot = label_input(labels)
        inputs, x = [codes, label], append_label(x, one_hot)
    x = layers.Dense(height * width * settings.widths[-1])(x)
    x = layers.Reshape((height, width, settings.widths[-1]))(x)
    if local:
        places = layers.Reshape((height, width, settings.local_latents))(*second)
        x = layers.Add()(
            [_block(x, settings), layers.Conv2D(settings.widths[-1], 3, padding="same", name="local")(places)]
        )
    x = _blocks(x, settings)
    for filters, size in zip(reversed(settings.widths[:-1]), reversed(sizes[:-1]), strict=True):
        x = _blocks(_enlarge(_normalised_activation(x, settings), filters, settings, size=size), settings)
    x = _normalised_activation(x, settings)
    if settings.patch > 1:
        # Few channels, because the last convolution works at the image's full size.
        filters = max(outputs, settings.widths[0] // settings.patch**2)
        x = _depth_to_space(layers.Conv2D(filters * settings.patch**2, 3, padding="same")(x), settings.patch)
        x = layers.Activation(settings.activation)(_crop(x, image_shape[:2]))
    image = layers.Conv2D(outputs, 3, padding="same", dtype="float32")(x)
    return keras.Model(inputs, image, name="decoder")


def map_sizes(settings: ResnetModel, *, image_shape: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Return height and width of the feature maps at each resolution, from the finest to the coarsest; halves are rounded up."""
    sizes = [(math.ceil(image_shape[0] / settings.patch), math.ceil(image_shape[1] / settings.patch))]
    for _ in settings.widths[1:]:
        height, width = sizes[-1]
        sizes.append((math.ceil(height / 2), math.ceil(width / 2)))
    return sizes


def _blocks(x: Any, settings: ResnetModel) -> Any:
    for _ in range(settings.blocks):
        x = _block(x, settings)
    return x


def _block(x: Any, settings: ResnetModel) -> Any:
    """Apply a residual block: two convolutions, whose output is added to the input: [B, h, w, F]."""
    filters = x.shape[-1]
    residual = layers.Conv2D(filters, 3, padding="same")(_normalised_activation(x, settings))
    residual = layers.Conv2D(filters, 3, padding="same")(layers.Activation(settings.activation)(residual))
    return layers.Add()([x, residual])


def _normalised_activation(x: Any, settings: ResnetModel) -> Any:
    """Apply group normalisation, then the activation."""
    groups = math.gcd(GROUPS, x.shape[-1])
    return layers.Activation(settings.activation)(layers.GroupNormalization(groups)(x))


def _enlarge(x: Any, filters: int, settings: ResnetModel, *, size: tuple[int, int]) -> Any:
    """Enlarge feature maps to twice the size: [B, h, w, F] to [B, height, width, filters]."""
    if settings.upsampling == "resize":  # Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"
        return layers.Conv2D(filters, 3, padding="same")(_crop(layers.UpSampling2D(2)(x), size))
    return _crop(_depth_to_space(layers.Conv2D(4 * filters, 3, padding="same")(x), 2), size)


def _depth_to_space(x: Any, factor: int) -> Any:
    """Rearrange channels into sub-pixels, Shi et al. 2016: [B, h, w, F·factor²] to [B, h·factor, w·factor, F]."""
    return ops.depth_to_space(x, factor)


def _crop(x: Any, size: tuple[int, int]) -> Any:
    """Remove the last row or column if sizes were rounded up."""
    spare = tuple((0, length - target) for length, target in zip(x.shape[1:3], size, strict=True))
    return layers.Cropping2D(spare)(x) if any(map(any, spare)) else x
