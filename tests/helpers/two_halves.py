"""A picture of two halves, in any mode and format, and its pixels as ingest decodes them. No test is here."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from components.images.decode import decode
from schemas.recipe.preprocess import PreprocessSettings

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]
LEFT: Colour = (200, 40, 40)
RIGHT: Colour = (20, 60, 120)
BACKGROUND: Colour = (10, 200, 90)
SIZE = (16, 8)
LOSSY = ("AVIF", "JPEG", "WEBP")


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def decoded(data: Any, *, channels: int = 3, background: Colour = BACKGROUND) -> Image.Image:
    """Decode a file's bytes as ingest does."""
    settings = PreprocessSettings(channels=channels, background=background)
    pixels = decode(data, settings)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def pixel(image: Image.Image, x: int, y: int) -> Array:
    """Value of one pixel: [channels], or one number where the image is grey."""
    pixels: Array = np.asarray(image)
    return np.asarray(pixels[y, x])


def grey(colour: Colour) -> int:
    """Luma of a colour, as ITU-R 601 has it."""
    return round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])


def halves(mode: str) -> Image.Image:
    """Return an image whose left half is `LEFT` and whose right half is `RIGHT`, as near as its mode comes to them."""
    image = Image.new("RGB", SIZE, LEFT)
    image.paste(RIGHT, (SIZE[0] // 2, 0, *SIZE))
    if mode == "P":
        return image.quantize(4)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "1":
        return image.convert("L").point(lambda value: 255 * (value > 70), mode="1")
    return image.convert("L").convert("LA") if mode == "LA" else image.convert(mode)


def expected(mode: str, colour: Colour) -> Colour:
    """Return the colour that a mode makes of a colour."""
    if mode in ("L", "LA", "I;16"):
        return (grey(colour),) * 3
    return (255 * (colour == LEFT),) * 3 if mode == "1" else colour
