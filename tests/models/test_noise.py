"""An image's noise is its own: whoever draws it, with whatever others, gets the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from models.noise import standard_normal

seeds = st.integers(0, 2**63 - 1)


@settings(deadline=None)
@given(seed=seeds, start=st.integers(0, 2**40), count=st.integers(0, 8), size=st.integers(1, 5), data=st.data())
def test_any_stretch_of_images_can_be_drawn_alone(
    seed: int, start: int, count: int, size: int, data: st.DataObject
) -> None:
    whole = standard_normal(seed, start=start, count=count, size=size)
    assert (whole.shape, whole.dtype) == ((count, size), np.float32)
    first = data.draw(st.integers(0, count))
    last = data.draw(st.integers(first, count))
    part = standard_normal(seed, start=start + first, count=last - first, size=size)
    np.testing.assert_array_equal(part, whole[first:last])


@settings(deadline=None)
@given(seed=seeds, index=st.integers(0, 2**40))
def test_another_seed_or_another_image_has_other_noise(seed: int, index: int) -> None:
    here = standard_normal(seed, start=index, count=1, size=4)
    for other, start in ((seed ^ 1, index), (seed, index + 1), (index, seed)):
        if (other, start) != (seed, index):
            assert not np.array_equal(standard_normal(other, start=start, count=1, size=4), here)


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_noise_is_standard_normal_and_independent_between_images_and_dimensions(seed: int) -> None:
    noise = standard_normal(seed, start=0, count=4000, size=3)
    assert kstest(noise.ravel(), "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.08
    neighbours = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.05
