"""How a latent space is used, against cases whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.reconstruction.latent import STEPS, AggregatePosterior, Smoothness, document, smoothness

Array = np.ndarray[Any, Any]


def aggregate(means: Array, log_variances: Array, *, parts: int = 1) -> AggregatePosterior:
    """Of all images, taken in so many batches."""
    found = AggregatePosterior(means.shape[1])
    for some, others in zip(np.array_split(means, parts), np.array_split(log_variances, parts), strict=True):
        found.add(some, others)
    return found


def test_posteriors_that_are_the_prior_have_no_kl_and_no_gap() -> None:
    found = aggregate(np.zeros((10, 3)), np.zeros((10, 3)))
    np.testing.assert_array_equal(found.kl_per_dimension, 0)
    assert found.gap == pytest.approx(0)


def test_the_kl_of_each_dimension_is_the_closed_form() -> None:
    found = aggregate(np.array([[1.0, 0.0], [3.0, 0.0]]), np.log([[1.0, 4.0], [1.0, 4.0]]))
    np.testing.assert_allclose(found.kl_per_dimension, [(0.5 + 4.5) / 2, 0.5 * (4 - 1 - np.log(4))])


def test_codes_that_fill_the_prior_together_have_no_gap_however_much_each_says() -> None:
    variance = 0.1
    means = np.random.default_rng(0).standard_normal((50_000, 4)) * np.sqrt(1 - variance)
    found = aggregate(means, np.full(means.shape, np.log(variance)))
    assert found.gap == pytest.approx(0, abs=0.005)
    assert found.kl_per_dimension.sum() > 3


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


def test_a_linear_decoder_is_as_smooth_as_can_be() -> None:
    weights = np.random.default_rng(0).standard_normal((2, 12))
    found = smoothness(lambda codes: (codes @ weights).reshape(-1, 2, 2, 3), list(np.eye(2)) * 2)
    assert found is not None
    assert (found.length, found.largest_step) == (pytest.approx(1, abs=1e-4), pytest.approx(1, abs=1e-2))


def test_a_decoder_that_jumps_does_it_in_one_step() -> None:
    found = smoothness(lambda codes: (codes[:, :1] > 0.3).astype(float).reshape(-1, 1, 1, 1), [np.zeros(2), np.ones(2)])
    assert found is not None
    assert (found.length, found.largest_step) == (pytest.approx(1), pytest.approx(STEPS))


def test_a_way_round_is_longer_than_the_way_across() -> None:
    def on_a_circle(codes: Array) -> Array:
        angle = np.pi * codes[:, 0]
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).reshape(-1, 1, 2, 1)

    found = smoothness(on_a_circle, [np.zeros(1), np.ones(1)])
    assert found is not None
    assert found.length == pytest.approx(np.pi / 2, rel=0.01)


@pytest.mark.parametrize("codes", [[], [np.zeros(2)], [np.zeros(2), np.ones(2)]])
def test_there_is_nothing_to_say_without_ways_that_lead_somewhere(codes: list[Array]) -> None:
    assert smoothness(lambda some: np.zeros((len(some), 1, 1, 1)), codes) is None


@pytest.mark.parametrize(
    "decode",
    [
        pytest.param(lambda some: 0.5 + 1e-7 * some.reshape(-1, 1, 1, 1), id="rounding"),
        pytest.param(lambda some: np.full((len(some), 1, 1, 1), np.nan), id="no numbers"),
    ],
)
def test_neither_rounding_nor_what_is_no_number_leads_anywhere(decode: Any) -> None:
    assert smoothness(decode, [np.zeros(1), np.ones(1)]) is None


def test_codes_in_fewer_dimensions_than_there_are_have_an_infinite_gap() -> None:
    assert aggregate(np.ones((10, 2)), np.full((10, 2), -2000.0)).gap == np.inf


def test_the_document_has_six_digits_or_says_why_there_are_none() -> None:
    assert document(Smoothness(1.23456789, 2.0), codes=4) == {"length": 1.23457, "largest_step": 2.0}
    assert document(None, codes=4) == {"left_out": "the images at both ends of every way look the same"}
    assert document(None, codes=1) == {"left_out": "it takes the codes of two test images, and there is 1"}
