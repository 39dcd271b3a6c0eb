"""Runs that the tests of `compare` share, and the command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.by_hand import write_recipe
from helpers.runs_by_hand import SHARED, figure, write_run

from pipeline.cli.app import app, guarded


@pytest.fixture(scope="module")
def shelf(home: Path) -> Path:
    """Run `grey`, `twin`, which has its Examples, `colour`, which has others, and `bare`, which has no generator."""
    runs = home / "runs"
    grey, colour = write_recipe(home, "grey"), write_recipe(home, "colour", channels=3)
    metrics = {"ssim": figure(0.5, 0.01), "elbo": figure(-100.0, 1.0)}
    write_run(runs / "grey", grey, metrics=metrics, train=[50])
    twin = grey.model_copy(update={"name": "twin", "train": grey.train.model_copy(update={"epochs": 99})})
    write_run(runs / "twin", twin, metrics={"ssim": figure(0.9, 0.01), "elbo": figure(-101.0, 1.0)}, train=[50])
    shutil.copytree(runs / "grey" / "generator", runs / "twin" / "generator")
    write_run(runs / "colour", colour, metrics=metrics, test=SHARED, train=[0, 1])
    write_run(runs / "bare", grey, metrics=metrics, train=[50])
    (runs / "empty").mkdir()
    return runs


@pytest.fixture
def copied(shelf: Path, tmp_path: Path) -> Path:
    """Return the same runs, to be damaged."""
    return Path(shutil.copytree(shelf, tmp_path / "runs"))


@pytest.fixture
def compare(shelf: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process: ``compare(a, b)`` → status, standard output, standard error."""

    def run(*words: str | Path, runs: Path = shelf) -> tuple[int, str, str]:
        status = guarded(lambda: app(["compare", *map(str, words), "--runs", str(runs)]))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
