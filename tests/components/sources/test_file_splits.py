"""Own splits are found in the names of files, where nearly all of them say one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources.base import own_split
from components.sources.file_splits import FileSplits
from schemas.recipe.sources import FolderSource


def numbered(**counts: int) -> list[str]:
    """Return names such as `train_0001.png`."""
    return [f"{word}_{number:04d}.png" for word, count in counts.items() for number in range(count)]


def splits(names: list[str]) -> dict[str | None, int]:
    """Count the names that the patterns put into each split."""
    by_name = FileSplits.of(names)
    return dict(Counter(own_split(name, by_name.patterns("test"), by_name.patterns("validation")) for name in names))


def unused(names: list[str], **settings: Any) -> list[str]:
    """Return the sentence on what the names say and a recipe with these settings does not use."""
    return FileSplits.of(names).unused(FolderSource(kind="folder", **settings), names)


@pytest.mark.parametrize(
    ("names", "validation", "test"),
    [
        (numbered(train=8, test=2), (), ("test_*",)),
        (numbered(train=8, val=2, test=2), ("val_*",), ("test_*",)),
        (["Train1.png", "Test1.png", "Test2.png"], (), ("Test[0-9]*",)),
        (["train (1).png", "test (1).png"], (), ("test *",)),
        (["train-a.png", "train-b.png", "eval-a.png"], (), ("eval-*",)),
        ([f"cat/{name}" for name in numbered(train=3, test=2)], (), ("*/test_*",)),
        (["1_train.jpg", "2_train.jpg", "3_test.png"], (), ("*_test.png",)),
        (["cat/cat_train_0.jpg", "cat/cat_val_0.jpg", "cat/cat_test_0.jpg"], ("*_val_*",), ("*_test_*",)),
        (["img_train001.jpg", "img_train002.jpg", "img_test001.jpg"], (), ("*_test[0-9]*",)),
    ],
)
def test_names_that_begin_or_end_with_a_split_divide_the_images(
    names: list[str], validation: tuple[str, ...], test: tuple[str, ...]
) -> None:
    by_name = FileSplits.of(names)
    assert by_name.divide
    assert by_name.agree(names)
    assert (by_name.patterns("validation"), by_name.patterns("test")) == (validation, test)


@pytest.mark.parametrize(
    "names",
    [
        numbered(test=9),
        numbered(img=9),
        numbered(latest=5, trains=5),
        ["test.png"],
        [],
        [*numbered(img=9, test=1)],
        [*numbered(stress_test=99, img=1)],
    ],
)
def test_names_that_do_not_divide_the_images_say_nothing(names: list[str]) -> None:
    by_name = FileSplits.of(names)
    assert not by_name.divide
    assert not by_name.may_divide


def test_the_few_names_without_a_word_are_for_training() -> None:
    names = [*numbered(train=60, test=30), "cover.png"]
    assert splits(names) == {"train": 61, "test": 30}
    assert FileSplits.of(names).taken() == (
        "The names of the files say `test`, `train`: taken as splits of the source, by patterns. 1 other is taken for "
        "training. If they are none, remove sources.validation and sources.test."
    )


def test_where_a_third_says_nothing_the_patterns_are_named_and_not_taken() -> None:
    by_name = FileSplits.of(numbered(train=10, test=10, img=10))
    assert (by_name.divide, by_name.may_divide) == (False, True)
    assert unused(numbered(train=10, test=10, img=10)) == [
        "The names of 20 of 30 files say `test`, `train`, which the recipe does not use: its 10 test images are divided among "
        'all splits; sources.test=["test_*"] would keep them apart.'
    ]


def test_a_split_that_was_added_after_the_recipe_is_said() -> None:
    names = numbered(img_train=4, img_test=2, img_val=3)
    assert unused(names, test=("*_test_*",)) == [
        "The names of the files say `test`, `train`, `val`, which the recipe does not use: its 3 validation images are taken "
        'like those for training; sources.validation=["*_val_*"] would keep them apart.'
    ]
    assert unused(names, test=("*_test_*", "*_val_*")) == []
    assert unused(names, test=("*_test_*",), validation=("*_val_*",)) == []


def test_a_pattern_that_would_match_more_is_not_agreed_with() -> None:
    names = ["x/train_1.png", "x/test_1.png", "x/test_2/train_2.png"]
    assert not FileSplits.of(names).agree(names)


@given(
    st.lists(st.tuples(st.sampled_from(["train", "Val", "TEST"]), st.sampled_from(["_", "-", ".", " "])), min_size=1)
)
def test_the_patterns_put_each_name_into_the_split_that_it_says(parts: list[tuple[str, str]]) -> None:
    meant = {"train": "train", "Val": "validation", "TEST": "test"}
    names = {f"{word}{sign}{number}.png": meant[word] for number, (word, sign) in enumerate(parts)}
    by_name = FileSplits.of(names)
    if by_name.divide:
        assert {
            name: own_split(name, by_name.patterns("test"), by_name.patterns("validation")) for name in names
        } == names
