"""Folders that name a split of which a recipe holds out no image are said, wherever they are."""

from __future__ import annotations

from typing import Any

import pytest

from components.sources.layout import Layout, folders_of
from components.sources.unused_splits import unused_splits
from schemas.recipe.sources import FolderSource


def images(**folders: int) -> list[str]:
    """Return names of images; `setA_test=2` stands for two in `setA/test`."""
    return [f"{folder.replace('_', '/')}/{number}.png" for folder, count in folders.items() for number in range(count)]


def said(names: list[str], **settings: Any) -> list[str]:
    """Return the sentences on a folder of these images."""
    return list(unused_splits(Layout(folders_of(names)), lambda: names, FolderSource(kind="folder", **settings)))


def test_a_split_that_was_added_after_the_recipe_is_said() -> None:
    names = images(train_cat=3, train_dog=3, test_cat=1, test_dog=1, val_cat=2, val_dog=2)
    assert said(names, test=("test/*",)) == [
        "The folder val names a split, which the recipe does not use: its 4 validation images are taken like those for "
        'training; sources.validation=["val/*"] would keep them apart.'
    ]
    assert said(names, test=("test/*",), validation=("val/*",)) == []


def test_a_second_folder_of_a_split_that_the_recipe_has_is_said_with_all_patterns() -> None:
    names = images(train=3, test=1, testing=2)
    [sentence] = said(names, test=("test/*",))
    assert 'sources.test=["test/*", "testing/*"] would keep them apart.' in sentence


def test_held_out_images_of_a_copy_that_was_added_are_said() -> None:
    names = images(train_cat=3, test_cat=1, batch2_train_cat=3, batch2_test_cat=2)
    [sentence] = said(names, test=("test/*",))
    assert "batch2/test names a split" in sentence
    assert 'sources.test=["test/*", "batch2/test/*"]' in sentence
    assert said(names, test=Layout(folders_of(names)).patterns("test")) == []


@pytest.mark.parametrize("settings", [{"validation": ("test/*",)}, {"test": ("*/0.png",)}])
def test_a_folder_of_which_the_recipe_holds_out_some_images_is_used(settings: dict[str, Any]) -> None:
    assert said(images(train=3, test=3), **settings) == []


@pytest.mark.parametrize(
    ("folders", "place", "pattern"),
    [
        ({"setA_train_cat": 3, "setA_test_cat": 2, "setB_cat": 3, "setB_dog": 3}, "setA/test", "setA/test/*"),
        ({"a.zip_train_cat": 3, "a.zip_test_cat": 2, "b.zip_cat": 3}, "a.zip/test", "a.zip/test/*"),
        ({"cat": 3, "cat_test": 2, "dog": 3, "fox": 3}, "cat/test", "cat/test/*"),
        ({"all_a_train_x": 3, "all_a_test_x": 2, "all_b_x": 3}, "all/a/test", "all/a/test/*"),
    ],
)
def test_a_split_inside_one_of_several_parts_is_said(folders: dict[str, int], place: str, pattern: str) -> None:
    names = images(**folders)
    assert said(names) == [
        f"The folder {place} names a split, which the recipe does not use: its 2 test images are divided among all splits; "
        f'sources.test=["{pattern}"] would keep them apart.'
    ]
    assert said(names, test=(pattern,)) == []


def test_many_folders_have_one_pattern() -> None:
    parts = {f"{part}_{word}": 2 for part in "abcde" for word in ("x_train", "x_val")} | {"f_x": 2, "f": 1}
    [sentence] = said(images(**parts))
    assert "a/x/val, b/x/val, c/x/val and 2 more name splits" in sentence
    assert 'sources.validation=["*/val/*"]' in sentence


def test_where_all_images_are_held_out_or_none_is_named_so_nothing_is_said() -> None:
    assert said(images(test_a=2, val_a=2)) == []
    assert said(images(cat=2, latest=2, train_test=1, train_car=1)) == []


@pytest.mark.parametrize(
    ("names", "held_out", "setting"),
    [
        ("training_set holdout", "holdout", "test"),
        ("data held-out", "held-out", "test"),
        ("trn tst", "tst", "test"),
        ("Trainingsdaten Testdaten", "Testdaten", "test"),
        ("trainset valset", "valset", "validation"),
    ],
)
def test_words_that_may_mean_a_split_are_said_with_the_pattern(names: str, held_out: str, setting: str) -> None:
    [sentence] = said([f"{folder}/{label}/0.png" for folder in names.split() for label in ("cat", "dog")])
    assert sentence == (
        f"The folder {held_out} names a split, which the recipe does not use: its 2 {setting} images are divided among all "
        f'splits; sources.{setting}=["{held_out}/*"] would keep them apart.'
    )


def test_words_that_only_begin_like_a_split_are_none() -> None:
    assert said([f"{folder}/0.png" for folder in ("cat", "testimony", "valley", "holdings", "trainer")]) == []
