"""Pixels as image files."""

from __future__ import annotations

import io
import struct

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR = {1: 0, 3: 2}  # PNG's colour types, by channels
_UP = 2  # PNG's filter that takes the row above away
_LEVEL = 1  # of ISA-L's four: docs/generate.md has the measurement


def encode(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """Pixels [H, W, 1 or 3], uint8, as a PNG or lossless WebP file."""
    if suffix == "png":
        return _png(pixels)
    file = io.BytesIO()
    grey = pixels.shape[2] == 1
    Image.fromarray(pixels[:, :, 0] if grey else pixels).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG (ISO/IEC 15948), compressed by ISA-L, which general encoders do not do: it is most of the time that a set takes."""
    height, width, channels = pixels.shape
    flat = pixels.reshape(height, width * channels)
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = _UP
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0)
    data = isal_zlib.compress(rows, _LEVEL)
    return b"".join((_SIGNATURE, *_chunk(b"IHDR", header), *_chunk(b"IDAT", data), *_chunk(b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> tuple[bytes, ...]:
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(name))
    return struct.pack(">I", len(data)), name, data, struct.pack(">I", checksum)
