"""From a source's bytes to one clean image in grey or RGB, or a reason why not.

The policy, whatever the file: dimensions are checked from the header before a decoder runs; EXIF orientation is
applied; of an animation the first frame counts; 16-bit values are scaled; palettes are resolved; transparent pixels are
laid on the background; CMYK becomes RGB; a truncated file is rejected.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from components.ingest.sources import RawImage
from schemas.tables import Reason

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# Our own limit, preprocess.max_pixels, is checked first; Pillow's would only warn.
Image.MAX_IMAGE_PIXELS = None


class Rejected(Exception):
    """An image that cannot be used, with a reason of the closed list."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Header:
    """What is known before decoding: format and size in pixels, as stored."""

    format: str
    width: int
    height: int


def read_header(raw: RawImage, *, max_pixels: int) -> Header:
    """Format and size of an image, from its first bytes.

    Raises:
        Rejected: It is empty, of no known format, or larger than `max_pixels`.
    """
    if isinstance(raw, np.ndarray):
        height, width = raw.shape[:2]
        _limit_size(width, height, max_pixels=max_pixels)
        return Header("pixels", width, height)
    with _open(raw, max_pixels=max_pixels) as image:
        return Header(image.format or "", image.width, image.height)


def decode(raw: RawImage, *, channels: int, background: tuple[int, int, int], max_pixels: int) -> Image.Image:
    """Decodes one image to mode L (channels 1) or RGB (channels 3).

    Raises:
        Rejected: It cannot be used.
    """
    mode = "L" if channels == 1 else "RGB"
    if isinstance(raw, np.ndarray):
        read_header(raw, max_pixels=max_pixels)
        grey = raw.ndim == 3 and raw.shape[2] == 1  # [H, W, 1] is [H, W] to Pillow
        return Image.fromarray(np.ascontiguousarray(raw[:, :, 0] if grey else raw)).convert(mode)
    with _open(raw, max_pixels=max_pixels) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _flatten(upright, background).convert(mode)
        except Exception as error:  # decoders raise whatever they like on broken data
            raise _rejection(error) from None


def _open(raw: bytes, *, max_pixels: int) -> Image.Image:
    if not raw:
        raise Rejected(Reason.EMPTY, "0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError:
        raise Rejected(Reason.UNKNOWN_FORMAT, f"not one of {', '.join(FORMATS)}") from None
    except Exception as error:
        raise _rejection(error) from None
    _limit_size(image.width, image.height, max_pixels=max_pixels)
    return image


def _limit_size(width: int, height: int, *, max_pixels: int) -> None:
    if not width * height:
        raise Rejected(Reason.EMPTY, f"{width} × {height} pixels")
    if width * height > max_pixels:
        raise Rejected(Reason.TOO_LARGE, f"{width} × {height} pixels, more than {max_pixels:,}")


def _flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Any mode to L or RGB, opaque, 8 bits."""
    if image.mode.startswith("I"):  # 16 bits, in one of several orders, or 32
        values = np.asarray(image).astype(np.int64)
        grey = Image.fromarray((values.clip(0, 65535) // 257).astype(np.uint8))
        if "transparency" not in image.info:
            return grey
        ground = Image.new("RGB", image.size, background)
        ground.paste(grey.convert("RGB"), mask=Image.fromarray(values != image.info["transparency"]))
        return ground
    if image.mode == "F":
        raise Rejected(Reason.CORRUPT, "floating-point pixels, whose range is not known")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (*background, 255))
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode == "L" else image.convert("RGB")


def _rejection(error: Exception) -> Rejected:
    if isinstance(error, Rejected):
        return error
    text = f"{type(error).__name__}: {error}"[:200]
    truncated = isinstance(error, EOFError) or "truncated" in text.lower()
    return Rejected(Reason.TRUNCATED if truncated else Reason.CORRUPT, text)
