"""The size that is suggested for images that are smaller than the network's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.ingest.facts import fitting_size


@given(
    sizes=st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 5_000)), min_size=1, max_size=40),
    height=st.integers(8, 1024),
    width=st.integers(8, 1024),
)
def test_the_size_that_is_suggested_fits_nine_of_ten_unless_they_are_tiny(
    sizes: list[tuple[int, int]], height: int, width: int
) -> None:
    heights, widths = np.array(sizes).T
    fitting_height, fitting_width = fitting_size(heights, widths, height=height, width=width)
    assert fitting_height % 4 == fitting_width % 4 == 0
    assert min(fitting_height, fitting_width) >= 4
    if min(fitting_height, fitting_width) > 4:
        fits = (heights >= fitting_height) & (widths >= fitting_width)
        assert fits.mean() >= 0.9


def test_the_size_that_is_suggested_keeps_the_proportions() -> None:
    heights, widths = np.array([64] * 50 + [300] * 50), np.array([200] * 100)
    assert fitting_size(heights, widths, height=128, width=128) == (64, 64)
    assert fitting_size(heights, widths, height=128, width=256) == (64, 128)
    assert fitting_size(np.array([7]), np.array([7]), height=28, width=28) == (4, 4)
