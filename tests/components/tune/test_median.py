"""Which trials are ended early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from components.tune.median import is_behind

CURVES = [[-10.0, -8.0, -6.0], [-12.0, -9.0, -7.0], [-14.0, -11.0, -9.0]]
curves = st.lists(st.lists(st.floats(-1e6, 0), min_size=1, max_size=8), max_size=8)


def test_a_trial_below_the_median_of_the_others_at_its_epoch_is_behind() -> None:
    assert is_behind(-12.5, CURVES, epoch=1, epochs=3)
    assert not is_behind(-11.5, CURVES, epoch=1, epochs=3)
    assert not is_behind(-12.0, CURVES, epoch=1, epochs=3)
    assert is_behind(-9.5, CURVES, epoch=2, epochs=3)


def test_trials_that_were_ended_before_that_epoch_count_with_their_last_value() -> None:
    assert is_behind(-9.5, CURVES, epoch=2, epochs=3)
    ended = [[-15.0], [-16.0], [-17.0]]
    assert not is_behind(-9.5, [*CURVES, *ended], epoch=2, epochs=3)  # it is ahead of half of all
    assert is_behind(-15.5, [*CURVES, *ended], epoch=2, epochs=3)


def test_a_few_others_are_not_enough() -> None:
    assert not is_behind(-99.0, CURVES[:2], epoch=1, epochs=3)


def test_nothing_is_ended_in_the_first_quarter_of_its_epochs() -> None:
    long = [[-10.0] * 20] * 5
    assert [is_behind(-99.0, long, epoch=epoch, epochs=20) for epoch in (1, 4, 5)] == [False, False, True]


@given(value=st.floats(-1e6, 0), others=curves, epochs=st.integers(1, 8))
def test_the_last_epoch_ends_nothing_because_the_trial_is_done(
    value: float, others: list[list[float]], epochs: int
) -> None:
    assert not is_behind(value, others, epoch=epochs, epochs=epochs)


@given(others=curves, epoch=st.integers(1, 8), epochs=st.integers(1, 8))
def test_a_trial_at_least_as_good_as_all_others_is_never_behind(
    others: list[list[float]], epoch: int, epochs: int
) -> None:
    best = max((value for curve in others for value in curve), default=0.0)
    assert not is_behind(best, others, epoch=epoch, epochs=epochs)
