"""Change training images a little, anew in each epoch, so that a network does not learn a small set by heart.

Mirroring, shifting, zooming and turning are one map from an image's places to others. What comes in from beyond the border is
the image, mirrored at it. Nothing here is part of a saved model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from models.crop import take_pixels
from schemas.recipe.augment import AugmentSection

DRAWS = ("flip", "rows", "columns", "zoom", "rotate", "brightness")  # one random number of an image each


class Augment:
    """Changes of images, each drawn from (seed, epoch, image).

    An image is known by its pixels. So its changes depend on neither batch size nor order, nor on the devices that share a batch.

    Args:
        section: Which changes, and how large.
        seed: Seed of the draws.
        steps: Steps per epoch.
    """

    def __init__(self, section: AugmentSection, *, seed: int, steps: int) -> None:
        self.section = section
        self.steps = steps
        self.keys = np.random.Generator(np.random.Philox(key=seed)).integers(0, 1 << 32, len(DRAWS), np.uint32)

    def __call__(self, images: Any, *, stored: Any, step: Any) -> Any:
        """Change a batch.

        Args:
            images: Cropped images [B, H, W, C], 0 to 255.
            stored: The same images as they are stored, [B, H', W', C], uint8.
            step: Number of finished steps, from 0 over all epochs.

        Returns:
            Images [B, H, W, C], float32, whole numbers from 0 to 255, as in stored images.
        """
        draws = self.draws(stored, epoch=ops.floor_divide(step, self.steps))
        images = self._moved(ops.cast(images, "float32"), draws)
        if self.section.brightness:
            factors = 1.0 + self.section.brightness * _both_ways(draws["brightness"])
            images = images * factors[:, None, None, None]
        return ops.clip(ops.round(images), 0.0, 255.0)

    def draws(self, stored: Any, *, epoch: Any) -> dict[str, Any]:
        """Return the random numbers of each image in an epoch, by their names in `DRAWS`: [B] each, in [0, 1), float32."""
        keys = _mixed(_uint32(self.keys) + _mixed(ops.cast(epoch, "uint32")))
        bits = _mixed(ops.bitwise_xor(_fingerprints(stored)[:, None], keys[None, :]))
        numbers = ops.cast(ops.right_shift(bits, _uint32(8)), "float32") * 2.0**-24  # exact: 24 bits
        return {name: numbers[:, place] for place, name in enumerate(DRAWS)}

    def _moved(self, images: Any, draws: dict[str, Any]) -> Any:
        """Mirror, shift, zoom and turn images [B, H, W, C]."""
        section, (height, width) = self.section, images.shape[1:3]
        most_rows, most_columns = round(section.shift * height), round(section.shift * width)
        if not (section.flip or most_rows or most_columns or section.zoom or section.rotate):
            return images
        side = ops.where(draws["flip"] < 0.5, -1.0, 1.0) if section.flip else ops.ones_like(draws["flip"])
        down, right = _whole(draws["rows"], most_rows), _whole(draws["columns"], most_columns)
        rows = (ops.arange(height, dtype="float32") - (height - 1) / 2)[None, :, None]  # from the centre
        columns = (ops.arange(width, dtype="float32") - (width - 1) / 2)[None, None, :]
        side, down, right = (values[:, None, None] for values in (side, down, right))
        if not (section.zoom or section.rotate):  # every place is a whole pixel: nothing is blurred
            rows = _reflected(rows + (height - 1) / 2 - down, height)
            columns = _reflected(side * columns + (width - 1) / 2 - right, width)
            return take_pixels(images, ops.cast(rows, "int32"), ops.cast(columns, "int32"))
        scale = ops.exp(-math.log1p(section.zoom) * _both_ways(draws["zoom"]))[:, None, None]
        angle = (math.radians(section.rotate) * _both_ways(draws["rotate"]))[:, None, None]
        cosine, sine = scale * ops.cos(angle), scale * ops.sin(angle)
        return _interpolated(
            images,
            _reflected(cosine * rows - sine * columns + (height - 1) / 2 - down, height),
            _reflected(side * (sine * rows + cosine * columns) + (width - 1) / 2 - right, width),
        )


def _interpolated(images: Any, rows: Any, columns: Any) -> Any:
    """Return the values of images between their pixels, bilinear, at places [B, H, W] inside: [B, H, W, C]."""
    top, left = ops.floor(rows), ops.floor(columns)
    below, beside = (rows - top)[..., None], (columns - left)[..., None]
    top, left = ops.cast(top, "int32"), ops.cast(left, "int32")
    bottom = ops.minimum(top + 1, images.shape[1] - 1)
    right = ops.minimum(left + 1, images.shape[2] - 1)
    upper = take_pixels(images, top, left) * (1.0 - beside) + take_pixels(images, top, right) * beside
    lower = take_pixels(images, bottom, left) * (1.0 - beside) + take_pixels(images, bottom, right) * beside
    return upper * (1.0 - below) + lower * below


def _reflected(places: Any, size: int) -> Any:
    """Bring places beyond the border back inside, mirrored at the outermost pixel."""
    last = float(size - 1)
    return last - ops.abs(last - ops.mod(places, 2.0 * last))


def _both_ways(draws: Any) -> Any:
    """Convert draws from [0, 1) to [-1, 1)."""
    return 2.0 * draws - 1.0


def _whole(draws: Any, most: int) -> Any:
    """Convert draws to whole numbers from -most to most, each as likely."""
    return ops.floor(draws * (2 * most + 1)) - most


def _fingerprints(stored: Any) -> Any:
    """Return a number for each image [B, H, W, C] of uint8 that depends on all its pixels: [B], uint32."""
    _, height, width, channels = stored.shape
    weights = _mixed(_uint32(np.arange(width * channels, dtype=np.uint32)))
    weights = ops.reshape(ops.bitwise_or(weights, _uint32(1)), (width, channels))
    rows = ops.sum(ops.cast(stored, "uint32") * weights, axis=(2, 3))  # [B, H]
    places = _mixed(_uint32(np.arange(height, dtype=np.uint32)))
    return ops.sum(_mixed(ops.bitwise_xor(rows, places[None, :])), axis=1)


def _mixed(values: Any) -> Any:
    """Return a hash of each value, uint32: lowbias32, Wellons 2018, "Prospecting for hash functions"."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        values = ops.bitwise_xor(values, ops.right_shift(values, _uint32(shift))) * _uint32(factor)
    return ops.bitwise_xor(values, ops.right_shift(values, _uint32(16)))


def _uint32(values: Any) -> Any:
    return ops.convert_to_tensor(np.asarray(values, np.uint32))
