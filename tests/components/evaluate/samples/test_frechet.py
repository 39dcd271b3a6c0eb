"""The Fréchet distance equals its closed form for Gaussians."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from components.evaluate.samples.frechet import frechet_distance

Array = np.ndarray[Any, Any]


def with_moments(mean: Array, covariance: Array, *, seed: int = 0, count: int = 500) -> Array:
    """Return points that have exactly these moments: [count, D]."""
    points = np.random.default_rng(seed).standard_normal((count, len(mean)))
    points -= points.mean(axis=0)
    white = points @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(points, rowvar=False)))).T
    scaled: Array = white @ np.linalg.cholesky(covariance).T + mean
    return scaled


def random_covariance(seed: int, size: int) -> Array:
    """Return a symmetric positive definite matrix."""
    factors = np.random.default_rng(seed).standard_normal((size, size + 2))
    covariance: Array = factors @ factors.T / size
    return covariance


def test_gaussians_with_equal_covariance_are_as_far_apart_as_their_means() -> None:
    covariance = random_covariance(0, 4)
    first = with_moments(np.zeros(4), covariance, seed=1)
    second = with_moments(np.array([3.0, 0, 4.0, 0]), covariance, seed=2)
    assert frechet_distance(first, second) == pytest.approx(25.0)


def test_for_commuting_covariances_deviations_are_compared() -> None:
    first = with_moments(np.zeros(3), np.diag([1.0, 4.0, 9.0]), seed=1)
    second = with_moments(np.zeros(3), np.diag([4.0, 4.0, 1.0]), seed=2)
    assert frechet_distance(first, second) == pytest.approx((1 - 2) ** 2 + 0 + (3 - 1) ** 2)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 6))
def test_the_distance_follows_the_formula_with_the_matrix_square_root(seed: int, size: int) -> None:
    one, other = random_covariance(seed, size), random_covariance(seed + 1, size)
    shift = np.random.default_rng(seed).standard_normal(size)
    expected = shift @ shift + np.trace(one + other - 2 * np.atleast_2d(sqrtm(one @ other)).real)
    first, second = with_moments(np.zeros(size), one, seed=1), with_moments(shift, other, seed=2)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_a_set_has_distance_0_from_itself_even_with_fewer_images_than_dimensions() -> None:
    points = np.random.default_rng(0).standard_normal((10, 50)).astype(np.float32)
    assert frechet_distance(points, points) == pytest.approx(0.0, abs=1e-5)
    assert frechet_distance(np.ones((10, 3)), np.ones((5, 3))) == 0.0
