"""The first images of a set on one sheet: large enough to see, small enough to open."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from components.images.contact_sheet import COLUMNS, GAP, IMAGES, LABELLED_COLUMNS, WIDTH, contact_sheet, pillow_images


def plain(count: int, *, width: int, height: int, mode: str = "L") -> list[Image.Image]:
    """Images of one colour each, none of them white: the i-th has i + 1 in every channel."""
    channels = len(mode)
    colours: list[Any] = [(number % 250 + 1,) * channels for number in range(count)]
    return [Image.new(mode, (width, height), colour if channels > 1 else colour[0]) for colour in colours]


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


def ink(sheet: Image.Image, number: int, *, size: int) -> int:
    """Count the pixels that are not white below an image of a single row, `size` × `size` pixels and not enlarged."""
    left = GAP + number * (size + GAP)
    below = np.asarray(sheet)[GAP + size : -GAP, left : left + size]
    return int((below < 255).any(axis=2).sum())


def test_labels_stand_below_their_images_and_are_left_out_where_there_are_none() -> None:
    images = plain(10, width=128, height=128)
    sheet = contact_sheet(images, labels=["hat", None, "", "shoes", *["coat"] * 6])
    assert sheet.width == LABELLED_COLUMNS * (128 + GAP) + GAP
    drawn = [ink(sheet, number, size=128) for number in range(10)]
    assert [number for number, pixels in enumerate(drawn) if not pixels] == [1, 2]
    assert len(set(drawn[4:])) == 1  # the same label is the same ink
    assert contact_sheet(images, labels=[None] * 10) == contact_sheet(images)


def test_a_label_that_is_too_long_ends_in_an_ellipsis_within_its_images_width() -> None:
    images = plain(2, width=28, height=28, mode="RGB")
    sheet = np.asarray(contact_sheet(images, labels=["x" * 300, ""]))
    width = (sheet.shape[1] - 3 * GAP) // 2
    below = sheet[GAP + width : -GAP]  # square images, one row
    assert (below[:, GAP : GAP + width] < 255).any()
    assert (below[:, GAP + width :] == 255).all()
    assert (below[:, :GAP] == 255).all()


@pytest.mark.parametrize(
    "label", ["Hüte", "Ελλάδα", "шапка", "日本語の帽子", "قبعة", "😀", "two\nlines", "\x00\u202e", "\ud800", "", " "]
)
def test_a_label_in_any_script_is_drawn_or_left_out_but_crashes_nothing(label: str) -> None:
    for size in (4, 28, 256):
        sheet = contact_sheet(plain(3, width=size, height=size), labels=[label, "hat", label * 40])
        assert sheet.mode == "RGB"


def test_letters_beyond_ascii_are_not_all_the_same_box() -> None:
    images = plain(1, width=128, height=128)
    greek, cyrillic, accented = (contact_sheet(images, labels=[text]).tobytes() for text in ("λ", "ж", "é"))
    assert len({greek, cyrillic, accented}) == 3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 256])
def test_the_same_pixels_and_labels_are_the_same_bytes(size: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, size, size, channels), dtype=np.uint8)

    def png() -> bytes:
        buffer = io.BytesIO()
        contact_sheet(pillow_images(pixels), labels=["hat", "shoes"] * 6).save(buffer, "PNG")
        return buffer.getvalue()

    assert png() == png()
    assert {image.mode for image in pillow_images(pixels)} == {"L" if channels == 1 else "RGB"}
    np.testing.assert_array_equal(np.asarray(pillow_images(pixels)[3]).reshape(size, size, channels), pixels[3])


def test_the_font_is_found_without_importing_matplotlib() -> None:
    code = (
        "import sys; from PIL import Image; from components.images.contact_sheet import contact_sheet; "
        "contact_sheet([Image.new('L', (8, 8))], labels=['hat']); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
