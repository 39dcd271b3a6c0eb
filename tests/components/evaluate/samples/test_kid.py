"""The kernel distance follows its definition, and is 0 on average between draws of one distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.samples.kid import kernel_distance

Array = np.ndarray[Any, Any]


def by_definition(first: Array, second: Array) -> float:
    """Compute Gretton et al. 2012, equation 3, pair by pair."""

    def kernel(x: Array, y: Array) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    n, m = len(first), len(second)
    one = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    other = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    between = sum(kernel(x, y) for x in first for y in second) / (n * m)
    return one + other - 2 * between


def draw(seed: int, *, count: int, size: int = 8, shift: float = 0.0) -> Array:
    """Draw points from a normal distribution: [count, size]."""
    points: Array = np.random.default_rng(seed).standard_normal((count, size)) + shift
    return points


def test_the_value_follows_the_definition_of_the_unbiased_estimator() -> None:
    first, second = draw(0, count=12, size=3), draw(1, count=9, size=3, shift=0.5)
    distance = kernel_distance(first, second, seed=0)
    assert distance.value == pytest.approx(by_definition(first, second))
    assert (distance.low, distance.high) == (None, None)


def test_several_blocks_have_an_interval_that_narrows_with_more_images() -> None:
    few = kernel_distance(draw(0, count=400), draw(1, count=400, shift=0.3), seed=0, block=100)
    many = kernel_distance(draw(0, count=4000), draw(1, count=4000, shift=0.3), seed=0, block=100)
    for distance in (few, many):
        assert distance.low is not None and distance.high is not None
        assert 0 < distance.low < distance.value < distance.high
    assert many.high - many.low < few.high - few.low


def test_draws_of_one_distribution_have_distance_0_on_average() -> None:
    values = [kernel_distance(draw(seed, count=50), draw(seed + 1000, count=50), seed=0).value for seed in range(200)]
    mean, error = np.mean(values), np.std(values) / np.sqrt(len(values))
    assert abs(mean) < 4 * error
    assert min(values) < 0 < max(values)


def test_the_blocks_depend_on_the_seed_alone() -> None:
    sets = draw(0, count=300), draw(1, count=300)
    assert kernel_distance(*sets, seed=1, block=100) == kernel_distance(*sets, seed=1, block=100)
    assert kernel_distance(*sets, seed=1, block=100) != kernel_distance(*sets, seed=2, block=100)
