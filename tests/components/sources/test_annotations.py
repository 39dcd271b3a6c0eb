"""Labels and splits in one spelling, for any source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources.annotations import (
    label_text,
    remark_on_evaluation,
    split_in,
    split_word_of_path,
    splits_by_word,
    splits_if_divided,
    whole_number,
)

splits = st.sampled_from([None, "train", "validation", "test"])


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.binary())
def test_a_label_is_text_that_can_be_stored_or_none(value: object) -> None:
    label = label_text(value)
    assert label is None or label.encode().decode() == label


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_label_as_int_and_as_float(value: int) -> None:
    assert label_text(float(value)) == label_text(value) == str(value)


@pytest.mark.parametrize("value", ["cafe\u0301", " caf\u00e9\n", "cafe\u0301".encode()])
def test_one_word_is_one_label_however_it_is_written(value: object) -> None:
    assert label_text(value) == "caf\u00e9"


@pytest.mark.parametrize("value", [None, "", " ", b"", float("nan")])
def test_what_is_empty_is_no_label(value: object) -> None:
    assert label_text(value) is None


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
        ("Training", "train"),
        ("TESTING", "test"),
        ("emnist-letters-test-images-idx3-ubyte.gz", "test"),
        ("t10k-images-idx3-ubyte", "test"),
        ("t10k2", None),
        ("TrainImages", "train"),
        ("evaluation", "test"),
        ("testimony", None),
        ("xtrain", None),
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


@pytest.mark.parametrize(
    ("words", "splits"),
    [
        (["train", "eval"], ["train", "test"]),
        (["train", "val", "eval"], ["train", "validation", "test"]),
        (["train", "dev", "evaluation"], ["train", "validation", "test"]),
        (["train", "eval", "test"], ["train", "validation", "test"]),
        (["train", "val", "eval", "test"], ["train", "validation", "test", "test"]),
        (["train", None, "test"], ["train", None, "test"]),
        (["train", None], [None, None]),
    ],
)
def test_evaluation_images_are_the_held_out_split_that_a_source_lacks(
    words: list[str | None], splits: list[str | None]
) -> None:
    assert list(splits_by_word(dict(enumerate(words))).values()) == splits


def test_how_evaluation_was_understood_is_said() -> None:
    assert remark_on_evaluation(["train", "eval"], other="rename it") == [
        "`eval` was taken as the test split; rename it."
    ]
    assert remark_on_evaluation(["train", "eval", "test"], other="rename it") == [
        "`eval` was taken as the validation split; rename it."
    ]
    assert remark_on_evaluation(["train", "test"], other="rename it") == []


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("data/test-00000-of-00001.parquet", "test"),
        ("plain_text/Train/0000.parquet", "train"),
        ("train/val/0000.parquet", "val"),
        ("test-set/train-0000.parquet", "train"),
        ("photos/0000.parquet", None),
    ],
)
def test_a_file_is_of_the_split_that_it_or_the_nearest_folder_names(path: str, word: str | None) -> None:
    assert split_word_of_path(path) == word


@pytest.mark.parametrize(
    ("text", "number"), [("0.0", "0"), ("12", "12"), (" 3. ", "3"), ("-1.000", "-1"), ("1.5", None), ("v1.0", None)]
)
def test_whole_numbers_that_a_table_made_floats_are_whole_again(text: str, number: str | None) -> None:
    assert whole_number(text) == number
