"""`recipes`, `recipe` and `schema`: what they list and write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.paths import ROOT
from PIL import Image

Pipeline = Callable[..., tuple[int, str, str]]


def test_recipes_are_listed_with_their_titles(pipeline: Pipeline) -> None:
    _, out, _ = pipeline("recipes", runs=None)
    columns = set()
    for name, title in (("demo", "MNIST's"), ("fashion_mnist_conditional", "Fashion-MNIST, by label")):
        line = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        columns.add(line.index(title))
    assert len(columns) == 1  # titles stand below each other


def photos_here(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Path:
    """Write grey images of these names below a folder of recipes; return their own folder."""
    monkeypatch.setattr("pipeline.recipes.new.FOLDER", folder)
    monkeypatch.setattr("pipeline.recipes.load.FOLDER", folder)
    monkeypatch.setattr("pipeline.recipes.speed.images_per_second", lambda *args, **options: 100.0)
    photos = folder / "photos"
    for name in names:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28)).save(photos / name)
    return photos


def test_a_recipe_is_written_and_the_next_command_is_named(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = photos_here(tmp_path, monkeypatch, "train/cat/1.png", "train/dog/1.png", "test/cat/1.png")
    (photos / "notes.txt").write_text("words")
    status, out, _ = pipeline("recipe", "--name", "mine", "--source", photos, runs=None)
    assert status == 0
    expected = [
        f"  source      folder {photos}",
        "  images      3 (3 tried, all usable)",
        "  size        28 × 28 pixels, grey; the network gets 28 × 28",
        "  labels      2, from folders: cat (2), dog (1)",
        "              the model does not use them; with model.conditional=true, generate makes images by label",
        "  splits      2 train, 1 test, the source's own; validation is taken from train",
        "  not images  1 .txt",
    ]
    sheet = "runs/mine/examples/contact_sheet.png"
    last = f"wrote {tmp_path / 'mine.yaml'}; next: make ingest RECIPE=mine, look at {sheet}, then make generate RECIPE=mine"
    lines = out.splitlines()
    assert (lines[: len(expected)], lines[-1]) == (expected, last)
    assert "2 training images are too few" in out
    assert "trains 100 images/s" in out
    assert "no search, because a trial of 2 epochs has 2 steps" in out
    status, out, _ = pipeline("recipe", "--check", "--name", "mine", runs=None)
    assert (status, out.splitlines()) == (0, ["recipe mine", *expected])
    for option, variable in (("--image-column", "IMAGE_COLUMN"), ("--label-column", "LABEL_COLUMN")):
        status, out, err = pipeline("recipe", "--check", "--name", "mine", option, "x", runs=None)
        assert (status, out) == (2, "")
        assert err.startswith(
            f"error: {variable}=x: expected none with CHECK=1, which looks at what the recipe itself says"
        )


@pytest.mark.process
def test_a_check_refuses_what_ingest_would_refuse(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = photos_here(tmp_path, monkeypatch, "train/1.png", "train/2.png", "test/1.png")
    assert pipeline("recipe", "--name", "mine", "--source", photos, runs=None)[0] == 0
    (photos / "test").rename(photos / "testing")
    unmatched = "error: sources.0.test: expected names that match images, found none that match test/*\n"
    status, out, err = pipeline("recipe", "--check", "--name", "mine", runs=None)
    assert (status, err) == (2, unmatched)
    assert "  images      3 (3 tried, all usable)" in out.splitlines()
    assert pipeline("ingest", "--recipe", "mine", runs=tmp_path / "runs")[2].endswith(unmatched)
    (photos / "testing").rename(photos / "test")
    assert pipeline("recipe", "--check", "--name", "mine", runs=None)[0] == 0
    (tmp_path / "empty").mkdir()
    status, _, err = pipeline("recipe", "--check", "--name", "mine", "--source", tmp_path / "empty", runs=None)
    assert status == 2
    assert err.startswith("error: sources")


def test_a_recipe_is_not_written_for_an_empty_source(pipeline: Pipeline) -> None:
    status, _, err = pipeline("recipe", "--name", "new", "--source", "", runs=None)
    assert status == 2
    assert err == "error: SOURCE: expected the path of your images, found none; set SOURCE=… (or --source …)\n"


def test_the_schema_is_written(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cli.recipes.FOLDER", tmp_path)
    path = tmp_path / "recipe.schema.json"
    assert pipeline("schema", runs=None) == (0, f"wrote {path}\n", "")
    assert path.read_bytes() == (ROOT / "recipes" / "recipe.schema.json").read_bytes()
