"""Colour profiles (ICC): finds the conversion of an image's colours to sRGB, by Little CMS.

Most photographs have a profile that is sRGB, by one of many names. A profile counts as sRGB if its conversion moves no colour by
more than two levels; then it is not applied, and costs a look into a table. Conversions are kept per process, because the images
of one camera share a profile.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

MODELS = {  # the colour model of a profile that fits images of a mode
    "L": "GRAY",
    "LA": "GRAY",
    "I;16": "GRAY",
    "I;16B": "GRAY",
    "I;16L": "GRAY",
    "I": "GRAY",
    "RGB": "RGB",
    "RGBA": "RGB",
    "RGBa": "RGB",
    "RGBX": "RGB",
    "P": "RGB",
    "PA": "RGB",
    "YCbCr": "RGB",
    "CMYK": "CMYK",
    "LAB": "LAB",
}
MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB"}  # of the pixels that are converted
SAME = 2  # levels of 255; different implementations of sRGB differ by as much
KEPT = 32  # profiles
TOO_LARGE = b"too large"  # stands for a profile that was not unpacked


@dataclass(frozen=True)
class Conversion:
    """A conversion of colours to sRGB, from pixels of one colour model."""

    model: str
    transform: ImageCms.ImageCmsTransform

    def apply(self, image: Image.Image) -> Image.Image:
        """Convert an image of mode L, LA, RGB, RGBA, CMYK or LAB to RGB, or to RGBA if it has alpha.

        An image of mode RGB is itself converted.
        """
        if image.mode == "RGB":
            ImageCms.applyTransform(image, self.transform, inPlace=True)
            return image
        alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
        if alpha:
            image = image.getchannel(0) if self.model == "GRAY" else image.convert("RGB")
        converted = ImageCms.applyTransform(image, self.transform)
        assert converted is not None
        if alpha:
            converted.putalpha(alpha)
        return converted


class Profile(NamedTuple):
    """What becomes of an image's colours.

    Attributes:
        conversion: Their conversion to sRGB; None if they are taken as they are.
        ignored: Whether the image has a profile that cannot be applied: it is broken, or of another colour model.
    """

    conversion: Conversion | None = None
    ignored: bool = False


NONE = Profile()


def profile_of(image: Image.Image) -> Profile:
    """Return what becomes of an opened image's colours; it need not be decoded."""
    if image.mode == "LAB":
        return _lab()
    icc = image.info.get("icc_profile")
    if not icc or image.mode not in MODELS:
        return NONE
    return _profile(icc, MODELS[image.mode])


@lru_cache(maxsize=KEPT)
def _profile(icc: bytes, model: str) -> Profile:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        own_model = opened.profile.xcolor_space.strip()
        if own_model not in MODES:
            return Profile(ignored=True)
        conversion = Conversion(own_model, _transform(opened, own_model))
        if own_model in ("GRAY", "RGB") and _changes_nothing(conversion):
            return NONE
    except Exception:  # Little CMS and Pillow raise errors of several types
        return Profile(ignored=True)
    return Profile(conversion) if own_model == model else Profile(ignored=True)


@cache
def _lab() -> Profile:
    return Profile(Conversion("LAB", _transform(ImageCms.createProfile("LAB"), "LAB")))


def _transform(source: Any, model: str) -> ImageCms.ImageCmsTransform:
    # What browsers and photo editors do: white stays white, and black becomes black.
    return ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        MODES[model],
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _changes_nothing(conversion: Conversion) -> bool:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    if conversion.model == "GRAY":
        colours = levels[None]
        expected = np.repeat(colours[:, :, None], 3, axis=2)
    else:
        colours = expected = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    converted = np.asarray(conversion.apply(Image.fromarray(colours.copy())), np.int16)
    return int(np.abs(converted - expected).max()) <= SAME
