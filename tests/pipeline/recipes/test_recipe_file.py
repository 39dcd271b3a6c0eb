"""A recipe file that somebody else wrote, or that is no file, ends in one line, soon and in little memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.recipe_by_hand import GOOD, error_of

from pipeline.recipes.load import load_recipe
from pipeline.recipes.recipe_file import MAX_BYTES, parse_yaml

WriteRecipe = Callable[..., str]

LAUGHS = "\n".join(["x0: &x0 [a, a]", *(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 12))])


@pytest.mark.parametrize(
    ("text", "actual"),
    [
        ("a: " + "[" * 100_000, "more than 50 levels"),
        ("a: " + "{b: " * 60 + "1" + "}" * 60, "more than 50 levels"),
        ("a: &loop\n  b: *loop", "more than 50 levels"),
        (LAUGHS, "more than 100,000 values"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("a: !!timestamp x", "a tag that does not fit its value"),
        ("a: !!int ''", "a tag that does not fit its value"),
        ("a: !!bool x", "a tag that does not fit its value"),
        ("#" * (MAX_BYTES + 1), "more than 1,048,576 bytes"),
    ],
    ids=["brackets", "keys", "a circle", "a billion laughs", "digits", "a time", "a number", "a truth", "size"],
)
def test_a_hostile_file_is_one_line(write_recipe: WriteRecipe, text: str, actual: str) -> None:
    path = write_recipe(text=text)
    assert error_of(path).startswith(f"{path}: expected YAML, found: {actual}")


def test_so_is_a_hostile_value(write_recipe: WriteRecipe) -> None:
    line = error_of(write_recipe(), "model.latent_dim=" + "[" * 100_000)
    assert line == "--set model.latent_dim: expected a YAML value, found: more than 50 levels"


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photos.yaml"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    assert error_of(str(path)) == f"{path}: expected YAML, found: {kind}"


def test_a_file_that_may_not_be_read_is_one_line(write_recipe: WriteRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write_recipe()
    monkeypatch.setattr(Path, "open", refuse)
    assert error_of(path) == f"{path}: expected a recipe file, found none that can be read (Permission denied)"


def test_anchors_merges_and_a_byte_order_mark_stay_yaml(tmp_path: Path) -> None:
    path = tmp_path / "photos.yaml"
    path.write_text(GOOD.replace("tune:", "generate: &set\n  seed: 3\ntune:") + "", encoding="utf-8-sig")
    assert load_recipe(str(path)).generate.seed == 3
    assert parse_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}
