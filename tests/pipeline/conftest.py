"""Fixtures that the tests of the pipeline share: commands, recipes, images, and generators of untrained models."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import MIXED_SIZE, describe, seal, write_recipe
from helpers.chain_by_hand import Make
from helpers.recipe_by_hand import GOOD
from PIL import Image

from components.reporting.console import console
from pipeline.cli.app import app, guarded
from pipeline.core import run
from pipeline.core.child_process import StageFailed
from pipeline.core.stage_process import run_task
from pipeline.tools import small_set
from schemas.artifacts.kinds import Generator
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe

Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="module")
def home(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recipes, `grey`, `colour` and `labelled`, and below ``runs`` a sealed generator of each, of an untrained model."""
    return Path(shutil.copytree(once("three-generators", write_generators), tmp_path_factory.mktemp("home") / "home"))


def write_generators(folder: Path) -> None:
    from components.export.description import write_description
    from components.export.saved_model import write_saved_model
    from models.build import build_vae

    images = {"images": {"train": 40, "validation": 0, "test": 0}}
    labels = {"labels": ["cat", "dog"], "images_per_label": {"train": {"cat": 30, "dog": 10}}} | images
    for name, channels in (("grey", 1), ("colour", 3), ("labelled", 1)):
        recipe = write_recipe(folder, name, channels=channels, conditional=name == "labelled")
        statistics = describe(MIXED_SIZE, MIXED_SIZE, channels, **(labels if name == "labelled" else {}))
        vae = build_vae(recipe.model, recipe.loss, statistics, seed=1)
        vae.set_weights([weight * 2 for weight in vae.get_weights()])  # so that its images differ
        generator = Generator(folder / "runs" / name / "generator")
        write_saved_model(vae, generator.saved_model_path)
        write_description(vae, generator, sampler=vae.prior_sampler())
        seal(generator, recipe)


@pytest.fixture
def stages_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run stages in this process: starting one that loads TensorFlow or Beam takes seconds."""

    def run_here(task: dict[str, Any], *, command: str | None = None, **_: Any) -> None:
        try:
            with console.capture() if command else contextlib.nullcontext():
                run_task(task)
        except (UsageError, DataError) as error:
            raise StageFailed(str(error), error.exit_status) from None

    monkeypatch.setattr(run, "run_process", run_here)
    monkeypatch.setattr(small_set, "run_process", run_here)


@pytest.fixture
def pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command here: ``pipeline("train", "--dry-run")`` → status, stdout, stderr."""

    def command(*arguments: str | Path, runs: Path | None = tmp_path / "runs") -> tuple[int, str, str]:
        words = [*map(str, arguments), *(["--runs", str(runs)] if runs else [])]
        status = guarded(lambda: app(words))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    """Write a landscape and a portrait image in colour, larger than the network's frame; return their paths."""
    first, second = tmp_path / "one.png", tmp_path / "two.jpg"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(first)
    Image.fromarray(rng.integers(0, 256, (40, 20, 3), np.uint8)).save(second)
    return first, second


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command here: ``command("mix", a, b)`` → status, standard output, standard error."""

    def command(*arguments: str | Path, recipe: str = "grey", runs: Path = home / "runs") -> tuple[int, str, str]:
        words = [*map(str, arguments), "--recipe", str(home / f"{recipe}.yaml"), "--runs", str(runs)]
        status = guarded(lambda: app(words))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


@pytest.fixture(name="write_recipe")
def recipe_writer(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a valid recipe file, with some text replaced, and returns its path."""

    def write(*replacements: tuple[str, str], text: str = GOOD) -> str:
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "photos.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def source_folder(tmp_path: Path) -> Path:
    """Return a folder for a source; its file is only hashed."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a")
    return folder


@pytest.fixture
def make(source_folder: Path) -> Make:
    """Return a function that makes a recipe with some keys changed: ``make({"train.epochs": 3})``."""

    def recipe(changes: dict[str, Any] | None = None, *, path: Path | None = source_folder) -> Recipe:
        data: dict[str, Any] = {
            "name": "photos",
            "sources": [{"kind": "folder", "path": None if path is None else str(path)}],
            "model": {"network": "conv"},
            "loss": {"likelihood": "mse"},
        }
        for key, value in (changes or {}).items():
            section, _, last = key.rpartition(".")
            (data.setdefault(section, {}) if section else data)[last] = value
        return Recipe.model_validate(data)

    return recipe


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return the folder of all runs."""
    return tmp_path / "runs"
