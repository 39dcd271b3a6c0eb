"""Colour profiles (ICC.1:2001-04, and parametric curves of ICC.1:2010), written by hand: none is committed as a file."""

from __future__ import annotations

import struct
from collections.abc import Mapping

D50 = (0.9642, 1.0, 0.8249)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # of IEC 61966-2-1
Colorants = tuple[tuple[float, float, float], ...]  # of red, green and blue: X, Y, Z under D50
SRGB: Colorants = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
ADOBE_RGB: Colorants = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
DISPLAY_P3: Colorants = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


def rgb_profile(colorants: Colorants, *, gamma: float | None = None) -> bytes:
    """Return a profile of a display, by its primaries and its gamma; None is the curve of sRGB."""
    tags = {f"{name}XYZ": _xyz(*colour) for name, colour in zip("rgb", colorants, strict=True)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags | {f"{name}TRC": _curve(gamma) for name in "rgb"})


def grey_profile(*, gamma: float | None = None) -> bytes:
    """Return a profile of a grey display."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {"kTRC": _curve(gamma)})


def cmyk_profile(lightness: Mapping[str, float]) -> bytes:
    """Return a profile of a printer whose inks are all grey.

    Args:
        lightness: L*, 0 to 100, of each ink alone: `C`, `M`, `Y`, `K`. Inks over each other multiply.
    """
    ramp = bytes(range(256))
    corners = []
    for corner in range(16):  # cyan is the slowest
        light = 100.0
        for bit, ink in enumerate("CMYK"):
            light *= lightness[ink] / 100 if corner >> (3 - bit) & 1 else 1
        corners.append(bytes((round(light * 2.55), 128, 128)))
    matrix = struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + b"".join(corners) + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {"A2B0": table})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: Mapping[str, bytes]) -> bytes:
    text = b"a test's profile\0"
    tags = {
        "desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67),
        "cprt": b"text" + bytes(4) + b"none\0",
        "wtpt": _xyz(*D50),
        **tags,
    }
    at, table, content = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name.encode(), at + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    size = at + len(content)
    header = struct.pack(">I4xI4s4s4s", size, 0x02400000, kind, space, connection) + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", *(round(value * 65536) for value in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(gamma: float | None) -> bytes:
    if gamma is None:
        return b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(value * 65536) for value in SRGB_CURVE))
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
