"""Decodes a source's bytes to clean pixels in grey or RGB, or says why they cannot be used.

The policy is the same for all files. Limits are checked before a decoder runs (`opening`). EXIF orientation is applied.
Animations are rejected, or their first frame is taken. 16-bit values are scaled, palettes resolved, transparent pixels
laid on the background, and CMYK is converted to RGB (`flatten`). Colours become sRGB by the image's profile (`profiles`). A
truncated file is rejected.

JPEGs are decoded at 1/2, 1/4 or 1/8 of their size where that is enough: libjpeg-turbo then skips most of the inverse DCT.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin

from components.images.flatten import flatten
from components.images.frames import count_frames
from components.images.geometry import Box, Geometry, channels_last
from components.images.jpeg_segments import is_scalable
from components.images.opening import check_pixels, open_image, read_exif, rejection
from components.images.profiles import profile_of
from components.sources import RawImage
from schemas.recipe.preprocess import PreprocessSettings

# A JPEG is decoded to no less than this many times its final size; docs/benchmarks.md has the measurement.
MARGIN = 1.25

TURNS = {  # from EXIF orientation to the transposition that sets the image upright
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
    """Format and size in pixels, as stored: what is known before decoding."""

    format: str
    width: int
    height: int


class Decoded(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: Upright: [height, width, channels], uint8.
        profile_ignored: Whether it has a colour profile that could not be applied.
        frames: Number of frames or pages of its file, of which this is the first.
    """

    pixels: NDArray[np.uint8]
    profile_ignored: bool = False
    frames: int = 1


@dataclass
class Decoder:
    """Decodes images in this process; see `components.workers.isolated` for another one."""

    preprocess: PreprocessSettings

    def read_header(self, raw: RawImage) -> Header:
        """Read format and size of an image; see the function `read_header`."""
        return read_header(raw, self.preprocess)

    def decode(self, raw: RawImage, *, geometry: Geometry | None = None) -> Decoded:
        """Decode one image; see the function `decode`."""
        return _decode(raw, self.preprocess, geometry=geometry)


def read_header(raw: RawImage, preprocess: PreprocessSettings) -> Header:
    """Read format and size of an image from its header.

    Raises:
        Rejected: It is empty, of no format of `preprocess.formats`, broken, or beyond a limit.
    """
    if isinstance(raw, np.ndarray):
        height, width = raw.shape[:2]
        check_pixels(width, height, preprocess)
        return Header("pixels", width, height)
    with open_image(raw, preprocess) as image:
        # MPO is a JPEG followed by a second picture.
        return Header("JPEG" if image.format == "MPO" else str(image.format), image.width, image.height)


def decode(raw: RawImage, preprocess: PreprocessSettings, *, geometry: Geometry | None = None) -> NDArray[np.uint8]:
    """Decode one image.

    Args:
        raw: A file's bytes, or pixels.
        preprocess: Channels, background and limits.
        geometry: How to resize it; None keeps its size.

    Returns:
        Upright pixels: [height, width, channels], uint8.

    Raises:
        Rejected: It cannot be used.
    """
    return _decode(raw, preprocess, geometry=geometry).pixels


def _decode(raw: RawImage, preprocess: PreprocessSettings, *, geometry: Geometry | None) -> Decoded:
    mode = "L" if preprocess.channels == 1 else "RGB"
    if isinstance(raw, np.ndarray):
        read_header(raw, preprocess)
        grey = raw.ndim == 3 and raw.shape[2] == 1  # [H, W, 1] is [H, W] to Pillow
        stored = Image.fromarray(np.ascontiguousarray(raw[:, :, 0] if grey else raw))
        image = flatten(stored, preprocess.background).convert(mode)
        return Decoded(geometry.map(image) if geometry else channels_last(image))
    with open_image(raw, preprocess) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata
        try:
            frames = count_frames(image, raw, limit=preprocess.max_frames)
            conversion, profile_ignored = profile_of(image)
            # Colours that are converted are decoded as colours, also for a grey image.
            box = _scale_while_decoding(image, raw, "RGB" if conversion else mode, geometry)
            image.load()
            turn = _orientation(image)
            upright = flatten(image, preprocess.background, conversion=conversion)
            if upright.mode != mode:  # `convert` would copy the image even to the same mode
                upright = upright.convert(mode)
            if turn in TURNS:
                upright = upright.transpose(TURNS[turn])
        except Exception as error:  # decoders raise errors of any type on broken data
            raise rejection(error, raw) from None
    box = _upright_box(box, turn, upright)
    pixels = geometry.map(upright, box=box) if geometry else channels_last(upright)
    return Decoded(pixels, profile_ignored, frames)


def _scale_while_decoding(image: Image.Image, raw: bytes, mode: str, geometry: Geometry | None) -> Box | None:
    """Let a JPEG be decoded at a fraction of its size, if that is enough, and in grey, if mode is L.

    Returns:
        The picture's bounds in the decoded pixels; None if nothing is scaled. The last pixels are only partly picture: 501
        pixels at 1/4 are 125.25, and taking them for 126 would shift the picture.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("L", "RGB"):
        return None  # CMYK is converted at full size
    reduction = 1
    if geometry:
        size = image.size[::-1] if _orientation(image) >= 5 else image.size
        enlarged = MARGIN * max(geometry.scales(*size))
        reduction = next((factor for factor in (8, 4, 2) if factor * enlarged <= 1), 1)
    if (reduction > 1 or mode == "L" != image.mode) and not is_scalable(raw):
        return None
    drafted = image.draft(mode, (max(1, image.width // reduction), max(1, image.height // reduction)))
    return drafted[1] if drafted and reduction > 1 else None


def _upright_box(box: Box | None, turn: int, upright: Image.Image) -> Box | None:
    """Convert bounds in stored pixels, whose incomplete ones are at the right and the bottom, to upright pixels."""
    if box is None:
        return None
    width, height = (box[3], box[2]) if turn >= 5 else (box[2], box[3])
    left = upright.width - width if turn in (2, 3, 6, 7) else 0.0
    top = upright.height - height if turn in (3, 4, 7, 8) else 0.0
    return (left, top, left + width, top + height)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, of an image; after loading, a TIFF's is 1, because Pillow turns it itself."""
    orientation = read_exif(image).get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in TURNS else 1
