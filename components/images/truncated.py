"""Tells by a file's own lengths that its end is missing, where a decoder's message does not say so."""

from __future__ import annotations

import struct


def ends_early(raw: bytes) -> bool:
    """Return whether a WebP, AVIF or HEIC file is shorter than it says."""
    if raw[:4] == b"RIFF":  # WebP: the whole file's length is in the header
        return int.from_bytes(raw[4:8], "little") + 8 > len(raw)
    return raw[4:8] == b"ftyp" and _boxes_end_early(raw)


def _boxes_end_early(raw: bytes) -> bool:
    """Go through the boxes of an ISO media file (ISO/IEC 14496-12)."""
    at = 0
    while at < len(raw):
        if at + 16 > len(raw):
            return True
        size, _, large = struct.unpack_from(">I4sQ", raw, at)
        if size == 0:  # to the end of the file
            return False
        size = large if size == 1 else size
        if size < 8:  # broken
            return False
        at += size
    return at > len(raw)
