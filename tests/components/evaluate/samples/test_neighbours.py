"""Precision, recall, density and coverage follow their definitions, and have the published values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate.samples import neighbours
from components.evaluate.samples.neighbours import Manifold, manifold

Array = np.ndarray[Any, Any]


def by_definition(real: Array, synthetic: Array, *, k: int) -> Manifold:
    """Compute them as `prdc` 0.2 does (Naeem et al. 2020), with whole matrices."""

    def distances(first: Array, second: Array) -> Array:
        matrix: Array = np.linalg.norm(first[:, None] - second[None], axis=2)
        return matrix

    real_radii = np.sort(distances(real, real), axis=1)[:, k]
    synthetic_radii = np.sort(distances(synthetic, synthetic), axis=1)[:, k]
    between = distances(real, synthetic)
    within_real = between < real_radii[:, None]
    return Manifold(
        precision=within_real.any(axis=0).mean(),
        recall=(between < synthetic_radii[None]).any(axis=1).mean(),
        density=within_real.sum(axis=0).mean() / k,
        coverage=(between.min(axis=1) < real_radii).mean(),
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    real=st.integers(7, 40),
    synthetic=st.integers(7, 40),
    size=st.integers(1, 5),
    k=st.integers(1, 6),
    rows=st.sampled_from([3, 1024]),
)
def test_the_values_follow_their_definitions(
    seed: int, real: int, synthetic: int, size: int, k: int, rows: int
) -> None:
    random = np.random.default_rng(seed)
    first, second = random.standard_normal((real, size)), random.standard_normal((synthetic, size)) * 1.2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "ROWS", rows)
        result = manifold(first, second, neighbours=k)
    assert vars(result) == pytest.approx(vars(by_definition(first, second, k=k)))


def test_draws_of_one_distribution_have_the_expected_density_and_coverage() -> None:
    """Naeem et al. 2020, section 3.3: density is 1 and coverage is 1 - 2⁻ᵏ, in any number of dimensions."""
    random = np.random.default_rng(0)
    result = manifold(random.standard_normal((2000, 20)), random.standard_normal((2000, 20)))
    assert result.precision == pytest.approx(result.recall, abs=0.05)
    assert result.density == pytest.approx(1.0, abs=0.1)
    assert result.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_a_set_that_has_lost_a_mode_keeps_its_precision_and_loses_coverage() -> None:
    random = np.random.default_rng(0)
    real = random.standard_normal((400, 2)) + 20.0 * random.integers(0, 2, (400, 1))
    one_mode = random.standard_normal((400, 2))
    result = manifold(real, one_mode)
    assert result.precision > 0.9
    assert result.recall < 0.6
    assert result.coverage < 0.6


def test_a_set_of_too_few_images_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected more than 5 images, found 5"):
        manifold(np.zeros((10, 2)), np.zeros((5, 2)))
