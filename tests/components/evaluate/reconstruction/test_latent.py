"""How a latent space is used, in cases with a known answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.reconstruction.latent import STEPS, AggregatePosterior, Smoothness, document, smoothness

Array = np.ndarray[Any, Any]


def aggregate(means: Array, log_variances: Array, *, parts: int = 1) -> AggregatePosterior:
    """Return the aggregate posterior of all images, added in `parts` batches."""
    posterior = AggregatePosterior(means.shape[1])
    for batch in zip(np.array_split(means, parts), np.array_split(log_variances, parts), strict=True):
        posterior.add(*batch)
    return posterior


def test_posteriors_that_are_the_prior_have_no_kl_and_no_gap() -> None:
    posterior = aggregate(np.zeros((10, 3)), np.zeros((10, 3)))
    np.testing.assert_array_equal(posterior.kl_per_dimension, 0)
    assert posterior.gap == pytest.approx(0)


def test_the_kl_of_each_dimension_is_the_closed_form() -> None:
    posterior = aggregate(np.array([[1.0, 0.0], [3.0, 0.0]]), np.log([[1.0, 4.0], [1.0, 4.0]]))
    np.testing.assert_allclose(posterior.kl_per_dimension, [(0.5 + 4.5) / 2, 0.5 * (4 - 1 - np.log(4))])


def test_codes_that_fill_the_prior_have_no_gap_in_spite_of_their_kl() -> None:
    variance = 0.1
    means = np.random.default_rng(0).standard_normal((50_000, 4)) * np.sqrt(1 - variance)
    posterior = aggregate(means, np.full(means.shape, np.log(variance)))
    assert posterior.gap == pytest.approx(0, abs=0.005)
    assert posterior.kl_per_dimension.sum() > 3


def test_codes_that_leave_part_of_the_prior_empty_have_the_gap_of_their_gaussian() -> None:
    means = np.random.default_rng(0).standard_normal((200_000, 2)) * [1.0, 0.5] + [0.0, 2.0]
    expected = 0.5 * (0.25 + 4.0 - 1.0 - np.log(0.25))
    assert aggregate(means, np.full(means.shape, -30.0)).gap == pytest.approx(expected, rel=0.01)


def test_batches_change_nothing() -> None:
    random = np.random.default_rng(1)
    means, log_variances = random.standard_normal((31, 3)), random.standard_normal((31, 3))
    whole, parts = aggregate(means, log_variances), aggregate(means, log_variances, parts=4)
    np.testing.assert_allclose(parts.covariance, whole.covariance)
    assert parts.gap == pytest.approx(whole.gap)


def test_a_linear_decoder_is_perfectly_smooth() -> None:
    weights = np.random.default_rng(0).standard_normal((2, 12))
    result = smoothness(lambda codes: (codes @ weights).reshape(-1, 2, 2, 3), list(np.eye(2)) * 2)
    assert result is not None
    assert (result.length, result.largest_step) == (pytest.approx(1, abs=1e-4), pytest.approx(1, abs=1e-2))


def test_a_decoder_that_jumps_has_one_large_step() -> None:
    result = smoothness(
        lambda codes: (codes[:, :1] > 0.3).astype(float).reshape(-1, 1, 1, 1), [np.zeros(2), np.ones(2)]
    )
    assert result is not None
    assert (result.length, result.largest_step) == (pytest.approx(1), pytest.approx(STEPS))


def test_a_half_circle_is_longer_than_its_diameter() -> None:
    def on_a_circle(codes: Array) -> Array:
        angle = np.pi * codes[:, 0]
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).reshape(-1, 1, 2, 1)

    result = smoothness(on_a_circle, [np.zeros(1), np.ones(1)])
    assert result is not None
    assert result.length == pytest.approx(np.pi / 2, rel=0.01)


@pytest.mark.parametrize("codes", [[], [np.zeros(2)], [np.zeros(2), np.ones(2)]])
def test_codes_whose_images_are_the_same_have_no_smoothness(codes: list[Array]) -> None:
    assert smoothness(lambda some: np.zeros((len(some), 1, 1, 1)), codes) is None


@pytest.mark.parametrize(
    "decode",
    [
        pytest.param(lambda codes: 0.5 + 1e-7 * codes.reshape(-1, 1, 1, 1), id="rounding"),
        pytest.param(lambda codes: np.full((len(codes), 1, 1, 1), np.nan), id="nan"),
    ],
)
def test_rounding_and_nan_have_no_smoothness(decode: Any) -> None:
    assert smoothness(decode, [np.zeros(1), np.ones(1)]) is None


def test_codes_in_fewer_dimensions_than_there_are_have_an_infinite_gap() -> None:
    assert aggregate(np.ones((10, 2)), np.full((10, 2), -2000.0)).gap == np.inf


def test_the_document_has_six_digits_or_the_reason_that_there_are_none() -> None:
    assert document(Smoothness(1.23456789, 2.0), codes=4) == {"length": 1.23457, "largest_step": 2.0}
    assert document(None, codes=4) == {"left_out": "the images at both ends of every way look the same"}
    assert document(None, codes=1) == {"left_out": "it takes the codes of two test images, and there is 1"}
