"""All six stages, each in its process, and what a `kill -9` does to them: nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.paths import ROOT

from pipeline.core import chain
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples, Generator, ImageSet, Model, ModelEvaluation
from schemas.artifacts.manifest import Artifact, Manifest
from schemas.recipe.recipe import Recipe

SETTINGS = [
    "train.epochs=3",
    "train.deterministic=true",
    "tune.max_trials=2",
    "tune.epochs=1",
    "tune.max_images=500",
    "export.formats=[onnx]",
    "generate.count=3000",
    "generate.shards=6",
]
# More than one for a long look: KILLS=3 make test
KILLS = int(os.environ.get("KILLS", "1"))


def command(stage: str, runs: Path) -> list[str]:
    """A stage of the small chain, as the Makefile calls it."""
    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    return [sys.executable, "-m", "pipeline", stage, *overrides, "--runs", str(runs)]


def load() -> Recipe:
    """The small chain's recipe."""
    return load_recipe("demo", overrides=SETTINGS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs after `all`, undisturbed."""
    runs = tmp_path_factory.mktemp("runs")
    done = subprocess.run(command("all", runs), capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return runs


def artifact(kind: type[Artifact], runs: Path) -> Artifact:
    """An artifact of the small chain."""
    return kind(chain.artifact_path(load(), kind, runs=runs))


def test_every_artifact_is_whole(finished: Path) -> None:
    for stage in chain.STAGES:
        assert artifact(stage.output, finished).damage(thorough=True) == []


def test_nothing_unfinished_is_left(finished: Path) -> None:
    assert not list(finished.rglob(".partial-*"))
    assert not list(finished.rglob("*.tmp"))


def test_a_second_run_finds_everything_up_to_date(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    done = subprocess.run(command("all", finished), capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.count("up to date") == 6
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()} == before


def test_an_image_leads_back_to_the_images_that_its_model_was_trained_on(finished: Path) -> None:
    images = artifact(ImageSet, finished)
    row = pq.read_table(images.path / "metadata.parquet").slice(1234, 1).to_pylist()[0]
    model = artifact(Model, finished)
    assert row["model"] == model.digest
    assert images.manifest.inputs["Generator"] == artifact(Generator, finished).digest
    assert model.manifest.inputs["Examples"] == artifact(Examples, finished).digest


def test_the_screen_shows_no_library_noise(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "demo" / "evaluation")
    done = subprocess.run(command("evaluate", tmp_path / "runs"), capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == ""
    for noise in ("WARNING", "INFO", "cuda", "oneDNN", "absl"):
        assert noise not in done.stdout


def test_figures_are_drawn_anew_without_training(finished: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(finished, runs)
    expected = artifact(ModelEvaluation, runs).manifest
    (artifact(ModelEvaluation, runs).path / "figures" / "samples.png").unlink()
    before = {path: path.stat().st_mtime_ns for path in artifact(Model, runs).path.rglob("*")}
    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    figures = [sys.executable, "-m", "pipeline", "figures", *overrides, "--runs", str(runs)]
    subprocess.run(figures, capture_output=True, text=True, cwd=ROOT, check=True)
    assert_same(artifact(ModelEvaluation, runs), expected)
    assert {path: path.stat().st_mtime_ns for path in artifact(Model, runs).path.rglob("*")} == before


def test_evaluate_finds_the_report_and_its_figures(finished: Path) -> None:
    evaluation = artifact(ModelEvaluation, finished)
    assert (evaluation.path / "report.html").is_file()
    assert len(list((evaluation.path / "figures").glob("*.png"))) >= 4


@pytest.mark.parametrize("stage", chain.STAGES, ids=lambda stage: stage.name)
def test_a_killed_stage_continues_to_the_same_bytes(stage: chain.Stage, finished: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(finished, runs)
    expected = artifact(stage.output, runs).manifest
    shutil.rmtree(artifact(stage.output, runs).path)
    # Only this stage: what comes after would see a new, equal input and stay as it is.
    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(
            command(stage.name, runs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        moment = random.uniform(0.3, expected.duration_seconds + 4.0)  # starting takes some seconds, too
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            print(f"{stage.name}: killed after {moment:.1f} s")
        else:  # it was done sooner: once more from the beginning
            assert process.returncode == 0
            assert_same(artifact(stage.output, runs), expected)
            shutil.rmtree(artifact(stage.output, runs).path)

    done = subprocess.run(command(stage.name, runs), capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(artifact(stage.output, runs), expected)


def assert_same(made: Artifact, expected: Manifest) -> None:
    """A whole artifact, whose files are the expected ones but for those that hold wall-clock times."""
    assert made.damage(thorough=True) == []
    assert made.manifest.digest == expected.digest
    lasting = {name for name in expected.files if not name.startswith(made.VOLATILE or ("\0",))}
    assert {name: made.manifest.files[name] for name in lasting} == {name: expected.files[name] for name in lasting}
