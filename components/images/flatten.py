"""Converts images of any of Pillow's modes to L or RGB: opaque, 8 bits, sRGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

from components.images.profiles import Conversion
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason

BITS_PER_SAMPLE = 258  # tags of a TIFF
PHOTOMETRIC = 262
WHITE_IS_ZERO = 0


def flatten(
    image: Image.Image, background: tuple[int, int, int], *, conversion: Conversion | None = None
) -> Image.Image:
    """Convert a decoded image to L or RGB.

    Transparent pixels, palette entries or colours are laid on the background. Integers of 9 to 16 bits are scaled to 8.
    Palettes are resolved. Without a conversion, CMYK becomes RGB by Pillow's formula.

    Args:
        image: Of any mode.
        background: An sRGB colour.
        conversion: Of the image's colours to sRGB, by its profile.

    Raises:
        Rejected: Its values are floats or 32-bit integers, for which no value is known to be white.
    """
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.mode == "F":
        raise Rejected(Reason.UNSUPPORTED, "floating-point pixels, whose range is not known")
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        if image.mode not in ("LA", "RGBA") or "transparency" in image.info:
            image = image.convert("RGBA")  # not always, because it copies, and large images take much memory
        if conversion:
            image = conversion.apply(image)
        ground = Image.new("RGB", image.size, background)
        ground.paste(image, mask=image)
        return ground
    if conversion:
        return conversion.apply(image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB"))
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey of 9 to 16 bits to L, or to LA if one value is transparent."""
    values = np.asarray(image)
    if image.mode == "I" and image.format != "PPM":  # Pillow scales a PPM's values to 16 bits
        raise Rejected(Reason.UNSUPPORTED, "pixels of 32 bits, or signed ones, whose range is not known")
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(BITS_PER_SAMPLE, (16,)))
    levels = np.rint(np.arange(1 << 16) * (255 / ((1 << bits) - 1))).clip(0, 255).astype(np.uint8)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:  # Pillow inverts such a TIFF up to 8 bits, but not of 16
        levels = 255 - levels
    grey = Image.fromarray(levels[values])
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray(values != image.info["transparency"]).convert("L"))
    return grey
