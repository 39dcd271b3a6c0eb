"""The first images of a set on one sheet: large enough to see, small enough to open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.generate.contact_sheet import COLUMNS, GAP, IMAGES, WIDTH, contact_sheet

quick = settings(deadline=None, max_examples=30)


def plain(count: int, *, width: int, height: int, mode: str = "L") -> list[Image.Image]:
    """Images of one colour each, none of them white: the i-th has i + 1 in every channel."""
    channels = len(mode)
    colours: list[Any] = [(number % 250 + 1,) * channels for number in range(count)]
    return [Image.new(mode, (width, height), colour if channels > 1 else colour[0]) for colour in colours]


@quick
@given(count=st.integers(1, IMAGES), width=st.integers(4, 64), height=st.integers(4, 64))
def test_a_sheet_of_small_images_is_about_as_wide_as_a_screen(count: int, width: int, height: int) -> None:
    sheet = contact_sheet(plain(count, width=width, height=height))
    assert WIDTH / 2 < sheet.width <= 2 * WIDTH
    assert sheet.mode == "RGB"


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (5, 5, 1), (16, 16, 1), (17, 16, 2), (160, 16, 10)])
def test_a_few_images_fill_a_row_and_many_fill_rows_of_sixteen(count: int, columns: int, rows: int) -> None:
    sheet = contact_sheet(plain(count, width=28, height=28))
    factor = (sheet.width - GAP) // columns // 28  # small images are enlarged by a whole number
    assert sheet.size == (columns * (28 * factor + GAP) + GAP, rows * (28 * factor + GAP) + GAP)
    assert factor >= 2


def test_every_image_stands_in_its_place_in_sharp_pixels() -> None:
    count = 20
    images = plain(count, width=8, height=8)
    images[3].putpixel((0, 0), 255)
    sheet = np.asarray(contact_sheet(images))[:, :, 0]
    cell = (sheet.shape[1] - GAP) // COLUMNS
    for number in range(count):
        top, left = GAP + number // COLUMNS * cell, GAP + number % COLUMNS * cell
        inside = sheet[top : top + cell - GAP, left : left + cell - GAP]
        assert set(np.unique(inside)) == ({number + 1, 255} if number == 3 else {number + 1})
    assert set(np.unique(sheet)) == {*range(1, count + 1), 255}


def test_colours_are_kept() -> None:
    [image] = plain(1, width=8, height=8, mode="RGB")
    image.paste((10, 20, 30), (0, 0, 8, 8))
    sheet = contact_sheet([image])
    assert sheet.getpixel((GAP, GAP)) == (10, 20, 30)
    assert sheet.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("width", "count"), [(200, 40), (256, 5)])
def test_larger_images_are_shown_as_they_are_in_fewer_columns(width: int, count: int) -> None:
    sheet = contact_sheet(plain(count, width=width, height=16))
    columns = (sheet.width - GAP) // (width + GAP)
    assert sheet.width == columns * (width + GAP) + GAP <= 2 * WIDTH + GAP
    assert sheet.height == -(-count // columns) * (16 + GAP) + GAP


def test_the_largest_images_are_shrunk_and_keep_their_shape() -> None:
    sheet = contact_sheet(plain(160, width=1024, height=512))
    columns, rows = 9, 18
    assert sheet.size == (columns * (256 + GAP) + GAP, rows * (128 + GAP) + GAP)
