"""The discriminator of `train.sharpen`: it says of each patch whether it is of a real image or of a decoded one."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

FILTERS = 16
MOST_FILTERS = 128
SMALL = 32  # pixels of the shorter side, up to which two halvings are enough


def build_critic(image_shape: tuple[int, int, int], *, seed: int) -> keras.Model:
    """Build the network from images [B, H, W, C], scale 0 to 1, to a score for each patch [B, h, w, 1].

    A discriminator of patches: Isola et al. 2017, "Image-to-Image Translation", section 3.2.2. Its weights have a spectral
    norm of 1: Miyato et al. 2018, "Spectral Normalization", which keeps its gradients small.
    """
    keras.utils.set_random_seed(seed)
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(2.0, -1.0)(images)
    halvings = 2 if min(image_shape[:2]) <= SMALL else 3
    for number in range(halvings):
        x = _convolution(x, FILTERS << number, size=4, strides=2)
    x = _convolution(x, FILTERS << halvings, size=3, strides=1)
    score = layers.SpectralNormalization(layers.Conv2D(1, 3, padding="same"))(x)
    return keras.Model(images, score, name="critic")


def _convolution(x: Any, filters: int, *, size: int, strides: int) -> Any:
    convolution = layers.Conv2D(min(filters, MOST_FILTERS), size, strides=strides, padding="same")
    return layers.LeakyReLU(0.2)(layers.SpectralNormalization(convolution)(x))
