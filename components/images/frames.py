"""Counts the frames or pages of a file, up to a limit and without decoding any."""

from __future__ import annotations

import struct

from PIL import Image

_NEW_SUBFILE_TYPE, _SHORT = 254, 3  # a tag of a TIFF, and a type of its values
_SMALLER_COPY, _MASK = 1, 4  # bits of its value


def count_frames(image: Image.Image, raw: bytes, *, limit: int) -> int:
    """Count the frames or pages of an opened file; a result of `limit` + 1 means more than `limit`.

    Pillow's `n_frames` reads every frame of a GIF and a TIFF, so those are counted here. The second picture of an MPO, a
    JPEG that cameras and telephones write, does not count, nor do smaller copies and masks beside the picture of a TIFF.
    """
    if image.format == "GIF":
        return _gif_frames(raw, limit=limit)
    if image.format == "TIFF":
        return _tiff_pages(raw, limit=limit)
    return 1 if image.format in ("JPEG", "MPO") else min(getattr(image, "n_frames", 1), limit + 1)


def _gif_frames(raw: bytes, *, limit: int) -> int:
    """Count the image descriptors of a GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""
    frames = 0
    try:
        at = 13 + _colour_table(raw[10])
        while frames <= limit:
            if raw[at] == 0x2C:  # an image: descriptor, colour table, code size
                frames += 1
                at += 11 + _colour_table(raw[at + 9])
            elif raw[at] == 0x21:  # an extension
                at += 2
            else:  # the trailer, or a broken file
                break
            while raw[at]:  # sub-blocks, each with its length
                at += raw[at] + 1
            at += 1
    except IndexError:  # the file ends early; the decoder will say so
        pass
    return frames


def _colour_table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _tiff_pages(raw: bytes, *, limit: int) -> int:
    """Count the directories of a TIFF (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf) or a BigTIFF."""
    order = "<" if raw[:2] == b"II" else ">"
    is_big = raw[2] == 43 or raw[3] == 43
    count, offset, entry = (f"{order}Q", f"{order}Q", 20) if is_big else (f"{order}H", f"{order}L", 12)
    pages: set[int] = set()
    beside = 0
    try:
        (at,) = struct.unpack_from(offset, raw, 8 if is_big else 4)
        while at and at not in pages and len(pages) <= limit:
            pages.add(at)
            (entries,) = struct.unpack_from(count, raw, at)
            beside += len(pages) > 1 and _is_beside(raw, at + struct.calcsize(count), order=order, entry=entry)
            (at,) = struct.unpack_from(offset, raw, at + struct.calcsize(count) + entry * entries)
    except (struct.error, OverflowError):  # the file ends early
        pass
    return len(pages) if len(pages) > limit else len(pages) - beside


def _is_beside(raw: bytes, at: int, *, order: str, entry: int) -> bool:
    """Return whether the first entry of a directory says that its page is a smaller copy of another one, or a mask.

    Args:
        raw: The file.
        at: Place of the entry.
        order: Of bytes.
        entry: Bytes of an entry.
    """
    tag, kind = struct.unpack_from(f"{order}HH", raw, at)
    if tag != _NEW_SUBFILE_TYPE:
        return False
    (value,) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'L'}", raw, at + (8 if entry == 12 else 12))
    return bool(value & (_SMALLER_COPY | _MASK))
