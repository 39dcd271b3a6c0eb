"""Errors of `mix` and `interpolate`: images and generators that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.by_hand import seal, write_recipe
from PIL import Image

from schemas.artifacts.generator import Description
from schemas.artifacts.kinds import Generator


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mix", "one.png", "none.png"], "none.png: expected an image, found no such file"),
        (["mix", ".", "two.jpg"], ".: expected an image, found a folder"),
        (["mix", "pipe.png", "two.jpg"], "pipe.png: expected an image, found a pipe"),
        (["mix", "one.png", "/dev/zero"], "/dev/zero: expected an image, found a device"),
        (["mix", "one.png", "text.png"], "text.png: expected an image, found none that can be used (unknown_format: "),
        (["interpolate", "cut.png", "two.jpg"], "cut.png: expected an image, found none that can be used (truncated"),
        (["interpolate", "one.png", "two.jpg", "--steps", "1"], "--steps: expected 2 to 256, found 1"),
        (["mix", "one.png", "two.jpg", "--out", "mix.jpg"], "--out mix.jpg: expected a name that ends in .png"),
        (["mix", "one.png", "two.jpg", "--out", "./one.png"], "one.png: expected a name for the result, found one of"),
    ],
)
def test_unusable_images_and_options_are_one_line_and_status_2(
    arguments: list[str],
    expected: str,
    command: Callable[..., tuple[int, str, str]],
    photos: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("words")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "cut.png").write_bytes(photos[0].read_bytes()[:900])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    status, out, err = command(*arguments)
    assert err.startswith(f"error: {expected}")
    assert err.count("\n") == 1
    assert (status, out) == (2, "")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_tilde_is_the_home_also_where_no_shell_has_replaced_it(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _, _, err = command("mix", "~/none.png", "~/two.jpg")
    assert err == f"error: {tmp_path}/none.png: expected an image, found no such file\n"


def test_an_animation_never_replaces_one_of_the_two_images(
    command: Callable[..., tuple[int, str, str]], photos: tuple[Path, Path], tmp_path: Path
) -> None:
    image = tmp_path / "walk.gif"
    Image.new("L", (9, 9)).save(image)
    before = image.read_bytes()
    status, _, err = command("interpolate", image, photos[1], "--gif", "--out", tmp_path / "walk.png")
    assert status == 2
    assert "walk.gif: expected a name for the result, found one of your two images" in err
    assert image.read_bytes() == before


def test_no_generator_is_one_line_with_the_command_that_makes_it(
    command: Callable[..., tuple[int, str, str]], home: Path, photos: tuple[Path, Path], tmp_path: Path
) -> None:
    for name in ("mix", "interpolate"):
        status, _, err = command(name, *photos, runs=tmp_path / "runs")
        path = tmp_path / "runs" / "grey" / "generator"
        assert err == f"error: {path}: expected a Generator, found none; run make export RECIPE={home / 'grey.yaml'}\n"
        assert status == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_changed_generator_is_not_loaded(
    command: Callable[..., tuple[int, str, str]], photos: tuple[Path, Path], tmp_path: Path
) -> None:
    generator = Generator(tmp_path / "runs" / "grey" / "generator")
    generator.saved_model_path.mkdir(parents=True)
    (generator.saved_model_path / "saved_model.pb").write_bytes(b"a graph")
    seal(generator, write_recipe(tmp_path, "grey"))
    (generator.saved_model_path / "saved_model.pb").write_bytes(b"another")
    status, _, err = command("mix", *photos, runs=tmp_path / "runs")
    assert "saved_model.pb: expected sha256" in err
    assert err.count("\n") == 1
    assert status == 1


def test_a_conditional_generator_needs_a_label_that_it_was_trained_on(
    command: Callable[..., tuple[int, str, str]], photos: tuple[Path, Path], tmp_path: Path
) -> None:
    generator = Generator(tmp_path / "runs" / "grey" / "generator")
    generator.labels_path.parent.mkdir(parents=True)
    generator.labels_path.write_text('["cat", "dog", "owl"]')
    labels = {"labels": ("cat", "dog", "owl"), "label_shares": (0.5, 0.5, 0.0)}
    about = Description(sampler="normal", latent_dim=3, image_shape=(8, 8, 1), **labels)
    generator.description_path.write_text(about.model_dump_json())
    seal(generator, write_recipe(tmp_path, "grey"))
    for name in ("mix", "interpolate"):
        status, _, err = command(name, *photos, runs=tmp_path / "runs")
        assert err == f"error: {name}: expected --label for a model that takes labels, one of cat, dog, found none\n"
        assert status == 2


def test_a_manifest_without_a_recipe_is_one_line(
    command: Callable[..., tuple[int, str, str]], photos: tuple[Path, Path], tmp_path: Path
) -> None:
    generator = Generator(tmp_path / "runs" / "grey" / "generator")
    generator.path.mkdir(parents=True)
    generator.seal(inputs={}, settings={}, counts={}, recipe={}, versions={}, duration_seconds=0.0, created="today")
    status, _, err = command("mix", *photos, runs=tmp_path / "runs")
    assert "manifest.json: expected the recipe's preprocess, found none that can be read" in err
    assert status == 1
