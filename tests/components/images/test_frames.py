"""Frames and pages are counted without decoding any; what stands beside the picture is none."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from components.images.frames import count_frames

SIZE = (16, 12)
NEW_SUBFILE_TYPE = 254


def counted(file: io.BytesIO, *, limit: int = 100) -> int:
    """Return the number of frames of a file."""
    with Image.open(file) as image:
        return count_frames(image, file.getvalue(), limit=limit)


def several(name: str, number: int) -> io.BytesIO:
    """Return a file of some frames, each of another colour."""
    frames = [Image.new("RGB", SIZE, (40 * frame, 0, 0)) for frame in range(number)]
    file = io.BytesIO()
    frames[0].save(file, name, save_all=True, append_images=frames[1:])
    return file


def tiff_of(*kinds: int, big: bool) -> io.BytesIO:
    """Return a TIFF with a page of each kind: 0 a picture, 1 a smaller copy, 2 a page of a document, 4 a mask."""
    pages = [Image.new("RGB", SIZE, (40 * page, 0, 0)) for page in range(len(kinds))]
    file = io.BytesIO()
    for page, kind in zip(pages, kinds, strict=True):
        page.encoderinfo = {"tiffinfo": {NEW_SUBFILE_TYPE: kind}, "big_tiff": big}
    first = pages[0].encoderinfo
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], **first)
    return file


@pytest.mark.parametrize("name", ["GIF", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("number", [1, 5])
def test_frames_and_pages_are_counted(name: str, number: int) -> None:
    assert counted(several(name, number)) == number


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("kinds", "frames"), [((0, 0, 0), 3), ((2, 2), 2), ((0, 1, 1), 1), ((0, 1, 0, 4), 2), ((1, 1), 1), ((1,), 1)]
)
def test_smaller_copies_and_masks_of_a_tiff_are_no_pages(kinds: tuple[int, ...], frames: int, *, big: bool) -> None:
    assert counted(tiff_of(*kinds, big=big)) == frames


def test_smaller_copies_count_against_the_limit() -> None:
    assert counted(tiff_of(0, 1, 1, 1, big=False), limit=2) == 3
