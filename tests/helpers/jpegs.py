"""JPEG files that Pillow cannot write, made by hand (ITU-T T.81)."""

from __future__ import annotations

import struct


def lossless_jpeg(width: int, height: int) -> bytes:
    """Return a lossless JPEG (SOF3) in grey, all of whose pixels are 128."""
    table = bytes([0, 1, *[0] * 15, 0])  # one code of one bit: the difference is 0
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0, 1, 0, 0])
    pixels = bytes(-(-width * height // 8))
    return b"\xff\xd8" + _segment(0xC4, table) + _segment(0xC3, frame) + _segment(0xDA, scan) + pixels + b"\xff\xd9"


def with_frame(
    jpeg: bytes, *, marker: int | None = None, bits: int | None = None, channels: int | None = None
) -> bytes:
    """Return a baseline JPEG whose header says that it is of another kind; its image data stay as they are."""
    at = jpeg.index(b"\xff\xc0")
    changed = bytearray(jpeg)
    if marker is not None:
        changed[at + 1] = marker
    if bits is not None:
        changed[at + 4] = bits
    if channels is not None:
        changed[at + 9] = channels
    return bytes(changed)


def _segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content
