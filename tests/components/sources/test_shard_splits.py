"""Shards are divided by the words in their names, and those without one are for training."""

from __future__ import annotations

import pytest

from components.sources.shard_splits import remark_on_others, splits_of_shards


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"a": "train", "b": "test", "c": None}, {"a": "train", "b": "test", "c": "train"}),
        ({"a": "val", "b": None}, {"a": "validation", "b": "train"}),
        ({"a": "train", "b": None}, {"a": None, "b": None}),
        ({"a": "test"}, {"a": None}),
        ({"a": None}, {"a": None}),
    ],
)
def test_shards_without_a_word_are_for_training_where_others_are_divided(
    words: dict[str, str | None], expected: dict[str, str | None]
) -> None:
    splits = splits_of_shards(words)
    assert splits == expected
    assert bool(remark_on_others(words, splits, other="say so")) == (None in words.values() and any(expected.values()))


def test_the_sentence_names_them_and_the_other_reading() -> None:
    words = {"train-0": "train", "test-0": "test", "extra-0": None, "extra-1": None}
    assert remark_on_others(words, splits_of_shards(words), other="`test: [...]` says others") == [
        "The images of extra-0, extra-1, beside `test`, `train`, are taken for training; `test: [...]` says others."
    ]
