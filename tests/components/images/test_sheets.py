"""Sheets of pixels: every image whole, at its place, and nothing else than the background between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.images.sheets import Layout, enlarge, fit_row, lay_out, shrink_row

SMALL = st.integers(0, 4)


@given(
    st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.lists(SMALL, min_size=6, max_size=6)
)
def test_images_stand_apart_and_fill_the_sheet(
    count: int, columns: int, height: int, width: int, sizes: list[int]
) -> None:
    gap, label, top, left, right, bottom = sizes
    layout = Layout(count, columns, height, width, gap, label, top, left, right, bottom)
    images = np.broadcast_to(np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None], (count, height, width, 1))
    sheet = lay_out(images, layout, background=0)
    assert sheet.shape == (*layout.shape, 3)
    for index in range(count):
        rows, places = np.nonzero((sheet == index + 1).all(axis=2))
        assert (rows.min(), places.min()) == layout.corner(index)
        assert len(rows) == height * width
    assert np.count_nonzero(sheet) == 3 * count * height * width
    if count % columns == 0:
        rows, places = np.nonzero(sheet[:, :, 0])
        assert layout.shape == (rows.max() + 1 + label + bottom, places.max() + 1 + right)


def test_shrinking_takes_means_of_blocks() -> None:
    images = np.random.default_rng(0).uniform(size=(3, 9, 10, 1)).astype(np.float32)
    assert shrink_row(images, row=100, most=100) is images
    shrunk = shrink_row(images, row=300, most=100)
    np.testing.assert_allclose(shrunk[:, 0, 0], images[:, :3, :3].mean(axis=(1, 2)), rtol=1e-6)
    assert shrunk.shape == (3, 3, 3, 1)


@pytest.mark.parametrize(("row", "size"), [(100, 150), (1000, 20), (1900, 10), (2100, 5)])
def test_a_row_comes_near_what_is_wanted_by_whole_factors(row: int, size: int) -> None:
    images = np.zeros((1, 10, 10, 1), np.float32)
    assert fit_row(images, row=row, target=1500, most=2000).shape[1] == size


def test_enlarging_repeats_pixels() -> None:
    assert enlarge(np.array([[[[1], [2]]]], np.uint8), 2)[0, :, :, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
