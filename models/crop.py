"""Crop stored images to the window that a network sees."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from models.batch import WholeBatch


def window(pixels: Any, *, height: int, width: int, seed: keras.random.SeedGenerator | None, batch: WholeBatch) -> Any:
    """Crop each image at a random place, or at the centre if there is no seed: [B, H', W', C] → [B, H, W, C].

    Random crops are float32; centres keep their type.

    Args:
        pixels: Images of at least this height and width.
        height: H.
        width: W.
        seed: Seed of the random places.
        batch: Draws the places.
    """
    spare_y, spare_x = pixels.shape[1] - height, pixels.shape[2] - width
    if spare_y == 0 and spare_x == 0:
        return pixels
    if seed is None:
        top, left = spare_y // 2, spare_x // 2
        return pixels[:, top : top + height, left : left + width, :]

    def offsets(spare: int) -> Any:
        def random(images: Any) -> Any:
            return keras.random.randint((images, 1), 0, spare + 1, seed=seed)

        return batch.draw(random, ops.shape(pixels)[0])

    top, left = offsets(spare_y), offsets(spare_x)  # [B, 1]
    rows = top + ops.arange(height, dtype=top.dtype)[None, :]  # [B, H]
    columns = left + ops.arange(width, dtype=left.dtype)[None, :]  # [B, W]
    return take_pixels(pixels, rows[:, :, None], columns[:, None, :])


def take_pixels(pixels: Any, rows: Any, columns: Any) -> Any:
    """Return the pixels of each image at these rows and columns: [B, H', W', C] → [B, H, W, C], float32.

    Args:
        pixels: Images.
        rows: Row of each pixel, [B, H, W] or [B, H, 1], int32.
        columns: Column of each pixel, [B, H, W] or [B, 1, W], int32.
    """
    first = ops.arange(ops.shape(pixels)[0], dtype=rows.dtype)[:, None, None] * (pixels.shape[1] * pixels.shape[2])
    indices = first + rows * pixels.shape[2] + columns  # [B, H, W], of pixels in the batch
    # One gather of whole pixels, because one along each axis takes ten times as long. On float32, because some devices have
    # no kernel for gathers of uint8.
    stored = ops.reshape(ops.cast(pixels, "float32"), (-1, pixels.shape[3]))
    taken = ops.take(stored, ops.reshape(indices, (-1,)), axis=0)
    height, width = max(rows.shape[1], columns.shape[1]), max(rows.shape[2], columns.shape[2])
    return ops.reshape(taken, (-1, height, width, pixels.shape[3]))
