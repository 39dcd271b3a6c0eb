"""Encoding of pixels as image files."""

from __future__ import annotations

import io
import struct
from functools import cache

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

_COLOUR = {1: 0, 3: 2}  # PNG's colour types, by channels
_UP = 2  # PNG's filter that subtracts the row above
_LEVEL = 1  # of ISA-L's levels 0 to 3; measured in docs/benchmarks.md


def encode_all(images: NDArray[np.uint8], suffix: str) -> list[bytes]:
    """Encode images [N, H, W, 1 or 3] as PNG or lossless WebP files."""
    return _pngs(images) if suffix == "png" else [_webp(pixels) for pixels in images]


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    grey = pixels.shape[2] == 1
    Image.fromarray(pixels[:, :, 0] if grey else pixels).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def _pngs(images: NDArray[np.uint8]) -> list[bytes]:
    """Encode images as PNG (ISO/IEC 15948).

    Compression is most of what an image costs, and ISA-L compresses faster than the libraries of general encoders.
    """
    count, height, width, channels = images.shape
    flat = images.reshape(count, height, width * channels)
    rows = np.empty((count, height, 1 + width * channels), np.uint8)
    rows[:, :, 0] = _UP
    rows[:, 0, 1:] = flat[:, 0]
    np.subtract(flat[:, 1:], flat[:, :-1], out=rows[:, 1:, 1:])
    head, end = _head(height, width, channels), _chunk(b"IEND", b"")
    return [b"".join((head, _chunk(b"IDAT", isal_zlib.compress(image, _LEVEL)), end)) for image in rows]


@cache
def _head(height: int, width: int, channels: int) -> bytes:
    """Return the signature and the chunk IHDR."""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0))


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(name))
    return b"".join((len(data).to_bytes(4, "big"), name, data, checksum.to_bytes(4, "big")))
