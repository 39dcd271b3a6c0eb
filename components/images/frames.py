"""How many frames or pages a file has, found without decoding any of them, and without going on for ever."""

from __future__ import annotations

import struct

from PIL import Image


def count_frames(image: Image.Image, raw: bytes, *, most: int) -> int:
    """Frames of an animation, or pages, of a file that was opened: at most `most` + 1, which is to say: more.

    Pillow's `n_frames` reads a GIF's and a TIFF's every frame, so those are counted here. A second picture behind a
    JPEG (MPO: what a camera or a telephone adds) is no frame.
    """
    if image.format == "GIF":
        return _gif_frames(raw, most=most)
    if image.format == "TIFF":
        return _tiff_pages(raw, most=most)
    return 1 if image.format in ("JPEG", "MPO") else min(getattr(image, "n_frames", 1), most + 1)


def _gif_frames(raw: bytes, *, most: int) -> int:
    """Image descriptors of a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""
    frames = 0
    try:
        at = 13 + _colour_table(raw[10])
        while frames <= most:
            if raw[at] == 0x2C:  # an image: its descriptor, its colours, its code size
                frames += 1
                at += 11 + _colour_table(raw[at + 9])
            elif raw[at] == 0x21:  # an extension
                at += 2
            else:  # the trailer, or nothing that belongs here
                break
            while raw[at]:  # sub-blocks, each with its length
                at += raw[at] + 1
            at += 1
    except IndexError:  # it ends early, which is for the decoder to say
        pass
    return frames


def _colour_table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _tiff_pages(raw: bytes, *, most: int) -> int:
    """Directories of a TIFF (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf) or a BigTIFF."""
    order = "<" if raw[:2] == b"II" else ">"
    big = raw[2] == 43 or raw[3] == 43
    count, offset, entry = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}L", 12)
    pages: set[int] = set()
    try:
        (at,) = struct.unpack_from(offset, raw, 8 if big else 4)
        while at and at not in pages and len(pages) <= most:
            pages.add(at)
            (entries,) = struct.unpack_from(count, raw, at)
            (at,) = struct.unpack_from(offset, raw, at + struct.calcsize(count) + entry * entries)
    except (struct.error, OverflowError):  # it ends early
        pass
    return len(pages)
