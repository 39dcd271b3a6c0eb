"""From a source's bytes to clean pixels in grey or RGB, or a reason why not.

The policy, whatever the file: limits are checked before a decoder runs (`opening`); EXIF orientation is applied; of an
animation the first frame counts, unless it is rejected; 16-bit values are scaled, palettes resolved, transparent pixels
laid on the background, CMYK made RGB (`flatten`); a truncated file is rejected.

JPEGs are decoded at 1/2, 1/4 or 1/8 where that is enough: libjpeg-turbo then leaves out most of the inverse DCT.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin

from components.images.flatten import flatten
from components.images.geometry import Box, Geometry, channels_last
from components.images.opening import limit_pixels, open_image, read_exif, rejection
from components.sources import RawImage
from schemas.recipe.preprocess import PreprocessSettings

# A JPEG is decoded no smaller than this many times what it becomes. docs/ingest.md has the measurement.
MARGIN = 1.25

TURNS = {  # EXIF orientation to what sets the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Header:
    """What is known before decoding: format and size in pixels, as stored."""

    format: str
    width: int
    height: int


def read_header(raw: RawImage, preprocess: PreprocessSettings) -> Header:
    """Format and size of an image, from its header.

    Raises:
        Rejected: It is empty, of no format of `preprocess.formats`, broken, or beyond a limit.
    """
    if isinstance(raw, np.ndarray):
        height, width = raw.shape[:2]
        limit_pixels(width, height, preprocess)
        return Header("pixels", width, height)
    with open_image(raw, preprocess) as image:
        # MPO is a JPEG with a second picture behind the first.
        return Header("JPEG" if image.format == "MPO" else str(image.format), image.width, image.height)


def decode(raw: RawImage, preprocess: PreprocessSettings, *, geometry: Geometry | None = None) -> np.ndarray:
    """Decodes one image.

    Args:
        raw: A file's bytes, or pixels.
        preprocess: Channels, background and limits.
        geometry: What its shape becomes; None leaves it as it is.

    Returns:
        Upright pixels: [height, width, channels], uint8.

    Raises:
        Rejected: It cannot be used.
    """
    mode = "L" if preprocess.channels == 1 else "RGB"
    if isinstance(raw, np.ndarray):
        read_header(raw, preprocess)
        grey = raw.ndim == 3 and raw.shape[2] == 1  # [H, W, 1] is [H, W] to Pillow
        stored = Image.fromarray(np.ascontiguousarray(raw[:, :, 0] if grey else raw))
        image = flatten(stored, preprocess.background).convert(mode)
        return geometry.map(image) if geometry else channels_last(image)
    with open_image(raw, preprocess) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        try:
            box = _scale(image, mode, geometry)
            image.load()
            turn = _orientation(image)
            upright = flatten(image, preprocess.background)
            if upright.mode != mode:  # `convert` copies where it need not
                upright = upright.convert(mode)
            if turn in TURNS:
                upright = upright.transpose(TURNS[turn])
        except Exception as error:  # decoders raise whatever they like on broken data
            raise rejection(error, raw) from None
    return geometry.map(upright, box=_turned(box, turn, upright)) if geometry else channels_last(upright)


def _scale(image: Image.Image, mode: str, geometry: Geometry | None) -> Box | None:
    """Has a JPEG decoded at a fraction of its size, where that is enough, and in grey, where that is asked for.

    Returns:
        The picture's bounds in the decoded pixels, of which the last are only partly picture: 501 pixels at 1/4 are
        125.25. To take them for 126 would shift the picture. None where nothing is scaled.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("L", "RGB"):
        return None  # what is CMYK is converted whole
    reduction = 1
    if geometry:
        size = image.size[::-1] if _orientation(image) >= 5 else image.size
        enlarged = MARGIN * max(geometry.scales(*size))
        reduction = next((factor for factor in (8, 4, 2) if factor * enlarged <= 1), 1)
    drafted = image.draft(mode, (max(1, image.width // reduction), max(1, image.height // reduction)))
    return drafted[1] if drafted and reduction > 1 else None


def _turned(box: Box | None, turn: int, upright: Image.Image) -> Box | None:
    """Bounds in stored pixels, whose part-filled ones are at the right and the bottom, in upright pixels."""
    if box is None:
        return None
    width, height = (box[3], box[2]) if turn >= 5 else (box[2], box[3])
    left = upright.width - width if turn in (2, 3, 6, 7) else 0.0
    top = upright.height - height if turn in (3, 4, 7, 8) else 0.0
    return (left, top, left + width, top + height)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8, of what an opened image is or, once loaded, still is (Pillow turns TIFF itself)."""
    found = read_exif(image).get(ExifTags.Base.Orientation, 1)
    return found if found in TURNS else 1
