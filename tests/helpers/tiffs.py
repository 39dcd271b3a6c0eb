"""TIFF files that Pillow cannot write, made by hand (TIFF 6.0): one strip, little-endian or big-endian."""

from __future__ import annotations

import struct

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS, EXTRA, FORMAT = 273, 277, 278, 279, 338, 339


def tiff(
    pixels: bytes,
    width: int,
    height: int,
    *,
    bits: int = 8,
    samples: int = 1,
    photometric: int = 1,
    sample_format: int = 1,
    compression: int = 1,
    order: str = "<",
) -> bytes:
    """Return a TIFF; the arguments are its tags, as the standard numbers them."""
    entries: list[tuple[int, str, tuple[int, ...]]] = [
        (WIDTH, "I", (width,)),
        (HEIGHT, "I", (height,)),
        (BITS, "H", (bits,) * samples),
        (COMPRESSION, "H", (compression,)),
        (PHOTOMETRIC, "H", (photometric,)),
        (OFFSETS, "I", (8,)),
        (SAMPLES, "H", (samples,)),
        (ROWS, "I", (height,)),
        (COUNTS, "I", (len(pixels),)),
        (FORMAT, "H", (sample_format,) * samples),
    ]
    at = 8 + len(pixels)  # of the values that have no room in their entries
    values, directory = b"", struct.pack(f"{order}H", len(entries))
    for tag, kind, numbers in entries:
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(data) > 4:
            place = struct.pack(f"{order}I", at + len(values))
            values += data
        else:
            place = data.ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, 3 if kind == "H" else 4, len(numbers)) + place
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at + len(values))
    return header + pixels + values + directory + bytes(4)
