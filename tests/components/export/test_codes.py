"""Codes belong to (seed, index): any stretch of them can be drawn alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from components.latents.draws import seeded_codes

Array = np.ndarray[Any, Any]
quick = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**63 - 1)
sizes = st.sampled_from([1, 3, 4, 5, 8, 17])


def draw(seed: int, *, start: int, count: int, latent_dim: int) -> Array:
    """Codes as an array: [count, latent_dim]."""
    return np.asarray(seeded_codes(seed, start=start, count=count, latent_dim=latent_dim))


@quick
@given(seed=seeds, first=st.integers(0, 2**40), offset=st.integers(0, 50), count=st.integers(1, 50), latent_dim=sizes)
def test_any_stretch_is_the_same_rows_of_a_longer_draw(
    seed: int, first: int, offset: int, count: int, latent_dim: int
) -> None:
    longer = draw(seed, start=first, count=offset + count + 3, latent_dim=latent_dim)
    stretch = draw(seed, start=first + offset, count=count, latent_dim=latent_dim)
    assert stretch.dtype == np.float32
    np.testing.assert_array_equal(stretch, longer[offset : offset + count])


@pytest.mark.parametrize("latent_dim", [1, 3, 4, 5])
def test_a_code_far_into_a_long_draw_can_be_drawn_alone(latent_dim: int) -> None:
    # Long enough that TensorFlow divides the draw among threads.
    longer = draw(7, start=0, count=100_000, latent_dim=latent_dim)
    for index in (0, 1, 255, 256, 65_537, 99_999):
        np.testing.assert_array_equal(draw(7, start=index, count=1, latent_dim=latent_dim)[0], longer[index])


@quick
@given(seed=seeds, other=seeds, latent_dim=sizes)
def test_other_seeds_give_other_codes(seed: int, other: int, latent_dim: int) -> None:
    same = np.array_equal(
        draw(seed, start=0, count=8, latent_dim=latent_dim), draw(other, start=0, count=8, latent_dim=latent_dim)
    )
    assert same == (seed == other)


@pytest.mark.parametrize("latent_dim", [1, 3, 4, 5])
def test_no_two_images_of_a_seed_share_a_code(latent_dim: int) -> None:
    codes = draw(7, start=0, count=1000, latent_dim=latent_dim)
    assert len({row.tobytes() for row in codes}) == 1000


@pytest.mark.parametrize("latent_dim", [1, 3, 4])
def test_codes_are_standard_normal_and_independent(latent_dim: int) -> None:
    count = 100_000
    codes = draw(11, start=0, count=count, latent_dim=latent_dim).astype(np.float64)
    error = 1 / np.sqrt(count)
    np.testing.assert_allclose(codes.mean(axis=0), 0.0, atol=5 * error)
    np.testing.assert_allclose(codes.std(axis=0), 1.0, atol=5 * error)
    for dimension in range(latent_dim):
        assert kstest(codes[:, dimension], "norm").pvalue > 1e-4
    correlation = np.corrcoef(np.vstack([codes.T, np.roll(codes, 1, axis=0).T]))  # also with the image before
    np.testing.assert_allclose(correlation, np.eye(2 * latent_dim), atol=5 * error)
