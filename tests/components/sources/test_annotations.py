"""Labels and splits in one spelling, for any source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources.annotations import label_text, split_in, splits_if_divided

splits = st.sampled_from([None, "train", "validation", "test"])


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.binary())
def test_a_label_is_text_that_can_be_stored_or_none(value: object) -> None:
    label = label_text(value)
    assert label is None or label.encode().decode() == label


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_label_as_int_and_as_float(value: int) -> None:
    assert label_text(float(value)) == label_text(value) == str(value)


def test_what_is_neither_text_nor_number_is_no_label() -> None:
    with pytest.raises(ValueError, match="expected a label of text or a number, found list"):
        label_text([1])


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("x_train", "train"),
        ("X-Test.npy", "test"),
        ("val_images", "validation"),
        ("validation-00000-of-00004.parquet", "validation"),
        ("dev2", "validation"),
        ("train_test", "train"),
        ("latest", None),
        ("training", None),
        ("photos", None),
    ],
)
def test_a_split_is_a_word_of_its_own_in_a_name(name: str, split: str | None) -> None:
    assert split_in(name) == split


@given(st.dictionaries(st.integers(), splits))
def test_a_division_is_kept_whole_or_not_at_all(splits_by_name: dict[int, str | None]) -> None:
    division = splits_if_divided(splits_by_name)
    held_out = {"validation", "test"} & set(splits_by_name.values())
    others = {None, "train"} & set(splits_by_name.values())
    assert division == (splits_by_name if held_out and others else dict.fromkeys(splits_by_name))
