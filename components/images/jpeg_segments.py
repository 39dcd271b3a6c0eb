"""Walks through the segments of a JPEG before its image data, by the same search as Pillow's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from PIL import JpegImagePlugin

START_OF_SCAN = 0xFFDA
# Huffman-coded baseline, extended and progressive JPEGs: the kinds of which libjpeg can decode a fraction. Asked for a fraction
# of a lossless one, libjpeg-turbo 3.1 writes beyond its memory.
SCALABLE = (0xFFC0, 0xFFC1, 0xFFC2)
KINDS = {  # that Pillow opens, though libjpeg-turbo decodes none of them
    0xFFC5: "differential",
    0xFFC6: "differential",
    0xFFC7: "differential",
    0xFFCB: "lossless and arithmetic-coded",
    0xFFCD: "differential",
    0xFFCE: "differential",
    0xFFCF: "differential",
    0xFFDE: "hierarchical",
}


class Segment(NamedTuple):
    """A segment: its marker, and where its content starts and ends."""

    marker: int
    start: int
    end: int


def segments(raw: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG up to its image data; of a broken file, what looks like some."""
    at = 2
    while 0 <= (at := raw.find(b"\xff", at)) < len(raw) - 4:
        marker = int.from_bytes(raw[at : at + 2], "big")
        if marker == 0xFFFF:
            at += 1
            continue
        handler = JpegImagePlugin.MARKER.get(marker, (None, None, None))[2]
        at += 2
        if marker == START_OF_SCAN:
            break
        if handler is not None:  # a segment with a length
            length = max(2, int.from_bytes(raw[at : at + 2], "big"))
            yield Segment(marker, at + 2, at + length)
            at += length


def frames(raw: bytes) -> list[Segment]:
    """Return the headers of a JPEG's frames; a plain one has one."""
    return [segment for segment in segments(raw) if JpegImagePlugin.MARKER[segment.marker][2] is JpegImagePlugin.SOF]


def is_scalable(raw: bytes) -> bool:
    """Return whether libjpeg can decode a JPEG at a fraction of its size."""
    return all(frame.marker in SCALABLE for frame in frames(raw))


def unsupported_kind(raw: bytes) -> str | None:
    """Return what a JPEG is that cannot be decoded although it may be whole; None for all others."""
    for frame in frames(raw):
        bits, channels = raw[frame.start], raw[min(frame.start + 5, len(raw) - 1)]
        if kind := KINDS.get(frame.marker):
            return f"a {kind} JPEG"
        if bits in (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16):
            return f"a JPEG of {bits} bits"
        if channels == 2 or 5 <= channels <= 10:
            return f"a JPEG of {channels} channels"
    return None
