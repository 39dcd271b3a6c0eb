"""Means and standard errors do not depend on batches."""

import numpy as np
import pytest

from components.evaluate.reconstruction.moments import Moments

VALUES = np.random.default_rng(0).normal(1000.0, 2.0, 101)


@pytest.mark.parametrize("sizes", [(101,), (1, 100), (40, 40, 21), (1,) * 101])
def test_batches_make_no_difference(sizes: tuple[int, ...]) -> None:
    moments = Moments()
    for part in np.split(VALUES, np.cumsum(sizes)[:-1]):
        moments.add(part)
    estimate = moments.estimate()
    assert estimate.value == pytest.approx(VALUES.mean(), rel=1e-12)
    assert estimate.standard_error == pytest.approx(VALUES.std(ddof=1) / np.sqrt(101), rel=1e-9)


def test_known_values() -> None:
    moments = Moments()
    moments.add(np.array([1.0, 2.0, 3.0, 4.0]))
    assert moments.estimate().value == 2.5
    assert moments.estimate().standard_error == pytest.approx(np.sqrt(5 / 3 / 4))


def test_vectors_have_a_variance_per_column() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3))
    moments = Moments()
    moments.add(rows[:20])
    moments.add(rows[20:])
    np.testing.assert_allclose(moments.variance, rows.var(axis=0, ddof=1))


def test_a_single_value_has_no_standard_error() -> None:
    moments = Moments()
    moments.add(np.array([7.0]))
    assert moments.estimate().value == 7.0
    assert moments.estimate().standard_error is None
