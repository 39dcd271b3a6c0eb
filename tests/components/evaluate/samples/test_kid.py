"""The kernel distance against its definition, and that it is nought on average between draws of one distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.samples.kid import kernel_distance

Array = np.ndarray[Any, Any]


def by_definition(first: Array, second: Array) -> float:
    """Gretton et al. 2012, equation 3, a pair after another."""

    def kernel(x: Array, y: Array) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    n, m = len(first), len(second)
    one = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    other = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    between = sum(kernel(x, y) for x in first for y in second) / (n * m)
    return one + other - 2 * between


def draw(seed: int, *, count: int, size: int = 8, shift: float = 0.0) -> Array:
    """From a normal distribution."""
    found: Array = np.random.default_rng(seed).standard_normal((count, size)) + shift
    return found


def test_it_is_the_unbiased_estimator_of_its_definition() -> None:
    first, second = draw(0, count=12, size=3), draw(1, count=9, size=3, shift=0.5)
    found = kernel_distance(first, second, seed=0)
    assert found.value == pytest.approx(by_definition(first, second))
    assert (found.low, found.high) == (None, None)


def test_several_blocks_have_an_interval_that_narrows_with_more_images() -> None:
    few = kernel_distance(draw(0, count=400), draw(1, count=400, shift=0.3), seed=0, block=100)
    many = kernel_distance(draw(0, count=4000), draw(1, count=4000, shift=0.3), seed=0, block=100)
    for found in (few, many):
        assert found.low is not None and found.high is not None
        assert 0 < found.low < found.value < found.high
    assert many.high - many.low < few.high - few.low


def test_draws_of_one_distribution_are_at_no_distance_on_average() -> None:
    values = [kernel_distance(draw(seed, count=50), draw(seed + 1000, count=50), seed=0).value for seed in range(200)]
    mean, error = np.mean(values), np.std(values) / np.sqrt(len(values))
    assert abs(mean) < 4 * error
    assert min(values) < 0 < max(values)


def test_the_blocks_depend_on_the_seed_alone() -> None:
    sets = draw(0, count=300), draw(1, count=300)
    assert kernel_distance(*sets, seed=1, block=100) == kernel_distance(*sets, seed=1, block=100)
    assert kernel_distance(*sets, seed=1, block=100) != kernel_distance(*sets, seed=2, block=100)
