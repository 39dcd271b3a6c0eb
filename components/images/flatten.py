"""Converts images of any of Pillow's modes to L or RGB: opaque, 8 bits."""

from __future__ import annotations

import numpy as np
from PIL import Image

from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason

BITS_PER_SAMPLE = 258  # a TIFF's tag


def flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Convert a decoded image to L or RGB.

    Transparent pixels, palette entries or colours are laid on the background. Integers of 9 to 16 bits are scaled to 8.
    Palettes are resolved; CMYK becomes RGB by Pillow's formula, and colour profiles are ignored.

    Raises:
        Rejected: Its values are floats or 32-bit integers, for which no value is known to be white.
    """
    if image.mode.startswith("I"):
        return _sixteen_bits(image, background)
    if image.mode == "F":
        raise Rejected(Reason.UNSUPPORTED, "floating-point pixels, whose range is not known")
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        if image.mode not in ("LA", "RGBA") or "transparency" in image.info:
            image = image.convert("RGBA")  # not always, because it copies, and large images take much memory
        ground = Image.new("RGB", image.size, background)
        ground.paste(image, mask=image)
        return ground
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _sixteen_bits(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "I" and image.format != "PPM":  # Pillow scales a PPM's values to 16 bits
        raise Rejected(Reason.UNSUPPORTED, "pixels of 32 bits, or signed ones, whose range is not known")
    bits = max(getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,)))
    levels = np.rint(np.arange(1 << 16) * (255 / ((1 << bits) - 1))).clip(0, 255).astype(np.uint8)
    grey = Image.fromarray(levels[values])
    if "transparency" not in image.info:
        return grey
    ground = Image.new("RGB", image.size, background)
    ground.paste(grey.convert("RGB"), mask=Image.fromarray(values != image.info["transparency"]))
    return ground
