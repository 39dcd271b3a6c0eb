"""Residual encoder and decoder with group normalisation, for images of any size.

Residual blocks: He et al. 2016, "Identity Mappings in Deep Residual Networks". Group normalisation: Wu & He 2018. A second level
of latents, whose posterior knows the first's code: Sønderby et al. 2016, "Ladder Variational Autoencoders"; it is relative to
the prior, as in Vahdat & Kautz 2020, "NVAE", section 3.2, so that both levels' prior is N(0, I).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from models.networks.label import beside, label_input, on_map
from models.posterior import limited
from schemas.recipe.model import ResnetModel

GROUPS = 8  # of channels, each normalised by itself


def build_encoder(settings: ResnetModel, *, image_shape: tuple[int, int, int], labels: int = 0) -> keras.Model:
    """Images [B, H, W, C] (and labels [B], of so many) to the posterior's mean and log-variance, [B, D] each.

    With a second level these are the first level's, and a third output is what `build_local_encoder` takes: [B, h, w, F].
    """
    inputs = x = images = keras.Input(image_shape, name="images")
    for number, width in enumerate(settings.widths):
        stride = 2 if number else settings.patch
        x = layers.Conv2D(width, max(3, stride), strides=stride, padding="same")(x)
        if labels and number == 0:
            label, one_hot = label_input(labels)
            inputs, x = [images, label], on_map(x, one_hot)
        x = _blocks(x, settings)
    features = _active(x, settings)
    x = layers.Flatten()(features)
    mean = layers.Dense(settings.latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(settings.latent_dim, dtype="float32", name="log_variance")(x)
    outputs = [mean, limited(log_variance, settings)]
    return keras.Model(inputs, [*outputs, features] if settings.local_latents else outputs, name="encoder")


def build_local_encoder(settings: ResnetModel, *, image_shape: tuple[int, int, int]) -> keras.Model | None:
    """The encoder's features [B, h, w, F] and codes of the first level [B, D] to the second level's posterior.

    Its mean and log-variance, [B, h·w·k] each; none where there is no second level.
    """
    if not settings.local_latents:
        return None
    height, width = map_sizes(settings, image_shape=image_shape)[-1]
    filters = settings.widths[-1]
    features = keras.Input((height, width, filters), name="features")
    codes = keras.Input((settings.latent_dim,), name="codes")
    x = layers.Conv2D(filters, 1)(features)
    x = layers.Add()([x, layers.Reshape((height, width, filters))(layers.Dense(height * width * filters)(codes))])
    x = _active(_block(x, settings), settings)
    mean, log_variance = (
        layers.Flatten(dtype="float32")(
            layers.Conv2D(settings.local_latents, 3, padding="same", dtype="float32", name=name)(x)
        )
        for name in ("local_mean", "local_log_variance")
    )
    return keras.Model([features, codes], [mean, limited(log_variance, settings)], name="local_encoder")


def build_decoder(
    settings: ResnetModel, *, image_shape: tuple[int, int, int], outputs: int, labels: int = 0
) -> keras.Model:
    """Codes [B, D], the second level's behind the first's (and labels [B]), to the likelihood's outputs [B, H, W, outputs]."""
    sizes = map_sizes(settings, image_shape=image_shape)
    height, width = sizes[-1]
    local = height * width * settings.local_latents
    inputs = codes = keras.Input((settings.latent_dim + local,), name="codes")
    x, *second = ops.split(codes, [settings.latent_dim], axis=-1) if local else [codes]
    if labels:
        label, one_hot = label_input(labels)
        inputs, x = [codes, label], beside(x, one_hot)
    x = layers.Dense(height * width * settings.widths[-1])(x)
    x = layers.Reshape((height, width, settings.widths[-1]))(x)
    if local:
        places = layers.Reshape((height, width, settings.local_latents))(*second)
        x = layers.Add()(
            [_block(x, settings), layers.Conv2D(settings.widths[-1], 3, padding="same", name="local")(places)]
        )
    x = _blocks(x, settings)
    for filters, size in zip(reversed(settings.widths[:-1]), reversed(sizes[:-1]), strict=True):
        x = _blocks(_enlarged(_active(x, settings), filters, settings, size=size), settings)
    x = _active(x, settings)
    if settings.patch > 1:
        # Few channels: they are convolved once more at the image's own size.
        thin = max(outputs, settings.widths[0] // settings.patch**2)
        x = _from_depth(layers.Conv2D(thin * settings.patch**2, 3, padding="same")(x), settings.patch)
        x = layers.Activation(settings.activation)(_cropped(x, image_shape[:2]))
    made = layers.Conv2D(outputs, 3, padding="same", dtype="float32")(x)
    return keras.Model(inputs, made, name="decoder")


def map_sizes(settings: ResnetModel, *, image_shape: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Height and width of the maps at each resolution, from the finest to the coarsest; halves are rounded up."""
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
    """Adds to maps what two convolutions make of them: [B, h, w, F]."""
    filters = x.shape[-1]
    found = layers.Conv2D(filters, 3, padding="same")(_active(x, settings))
    found = layers.Conv2D(filters, 3, padding="same")(layers.Activation(settings.activation)(found))
    return layers.Add()([x, found])


def _active(x: Any, settings: ResnetModel) -> Any:
    """Normalised, and through the activation."""
    groups = math.gcd(GROUPS, x.shape[-1])
    return layers.Activation(settings.activation)(layers.GroupNormalization(groups)(x))


def _enlarged(x: Any, filters: int, settings: ResnetModel, *, size: tuple[int, int]) -> Any:
    """Maps of twice the size: [B, h, w, F] to [B, height, width, filters]."""
    if settings.upsampling == "resize":  # Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"
        return layers.Conv2D(filters, 3, padding="same")(_cropped(layers.UpSampling2D(2)(x), size))
    return _cropped(_from_depth(layers.Conv2D(4 * filters, 3, padding="same")(x), 2), size)


def _from_depth(x: Any, factor: int) -> Any:
    """Sub-pixels from channels, Shi et al. 2016: [B, h, w, F·factor²] to [B, h·factor, w·factor, F]."""
    return ops.depth_to_space(x, factor)


def _cropped(x: Any, size: tuple[int, int]) -> Any:
    """Without the last row or column where sizes were rounded up."""
    spare = tuple((0, found - wanted) for found, wanted in zip(x.shape[1:3], size, strict=True))
    return layers.Cropping2D(spare)(x) if any(map(any, spare)) else x
