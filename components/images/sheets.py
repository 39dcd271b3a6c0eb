"""Images of one size laid out in rows on a sheet of pixels: the one way in which sheets, strips and figures place them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", np.uint8, np.float32)


@dataclass(frozen=True)
class Layout:
    """Where images stand on a sheet, row by row. All sizes are in pixels.

    Attributes:
        count: Number of images.
        columns: Images per row.
        height: Of an image.
        width: Of an image.
        gap: Between images, in both directions.
        label: Height of the line below each image; 0: none.
        top: Margin above the images; so are `left`, `right` and `bottom`.
        left: See `top`.
        right: See `top`.
        bottom: See `top`.
    """

    count: int
    columns: int
    height: int
    width: int
    gap: int = 0
    label: int = 0
    top: int = 0
    left: int = 0
    right: int = 0
    bottom: int = 0

    @property
    def rows(self) -> int:
        """Number of rows, the last of which may not be full."""
        return math.ceil(self.count / self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the sheet."""
        height = self.top + self.rows * (self.height + self.label) + (self.rows - 1) * self.gap + self.bottom
        return height, self.left + self.columns * self.width + (self.columns - 1) * self.gap + self.right

    def corner(self, index: int) -> tuple[int, int]:
        """Return the first row and the first column of an image's pixels."""
        row, column = divmod(index, self.columns)
        return self.top + row * (self.height + self.label + self.gap), self.left + column * (self.width + self.gap)


def lay_out(images: NDArray[Pixel], layout: Layout, *, background: float, channels: int = 3) -> NDArray[Pixel]:
    """Place images on a sheet of one colour.

    Args:
        images: [n, H, W, C], where C is `channels`, or 1: grey repeats over the channels.
        layout: Where they stand.
        background: Value of all channels where there is no image.
        channels: Of the sheet.

    Returns:
        [height, width, channels].
    """
    sheet = np.full((*layout.shape, channels), background, images.dtype)
    for index, image in enumerate(images):
        top, left = layout.corner(index)
        sheet[top : top + layout.height, left : left + layout.width] = image
    return sheet


def enlarge(images: NDArray[Pixel], factor: int) -> NDArray[Pixel]:
    """Make each pixel a square of `factor` pixels a side, so that pixels stay sharp: [n, H, W, C]."""
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def shrink_row(images: NDArray[Pixel], *, row: int, most: int) -> NDArray[Pixel]:
    """Shrink images by a whole factor, so that a row that is `row` pixels wide has at most `most`; [n, H, W, C]."""
    factor = max(1, -(-row // most))
    if factor == 1:
        return images
    count, height, width, channels = images.shape
    rows, columns = max(1, height // factor), max(1, width // factor)
    trimmed = images[:, : rows * factor, : columns * factor]
    shrunk: NDArray[Pixel] = trimmed.reshape(count, rows, -1, columns, factor, channels).mean(axis=(2, 4))
    return shrunk


def fit_row(images: NDArray[Pixel], *, row: int, target: int, most: int) -> NDArray[Pixel]:
    """Enlarge or shrink images by a whole factor, so that a row of `row` pixels comes near `target` and not above `most`."""
    if row > most:
        return shrink_row(images, row=row, most=most)
    return enlarge(images, max(1, round(target / row)))
