"""All six stages on 300 small images, and what a `kill -9` does to them: nothing.

The stages run in this process, which has TensorFlow already, except where the claim is about a process, and export, whose
SavedModel counts what its process traced before.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.bars import RECIPE, assert_same, draw_bars, times
from helpers.ingest_command import children
from helpers.paths import ROOT
from helpers.waits import wait_until

from pipeline.cli.app import app, guarded
from pipeline.core import chain, run, stage_process
from pipeline.recipes.load import load_recipe
from schemas.artifacts import locks
from schemas.artifacts.kinds import Examples, Generator, ImageSet, Model, ModelEvaluation
from schemas.artifacts.manifest import Artifact
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

# A write in the middle of each stage's work, and which of them: what was finished before it must not be done again.
WRITES = {
    "ingest": ("data_tfrecord-*", 2),
    "tune": ("search.json", 4),
    "train": ("state.npz", 2),
    "evaluate": ("metrics.json", 1),
    "export": ("generator.json", 1),
    "generate": ("*.parquet", 2),
}
# More than one for a long look: KILLS=3 make test-kills
KILLS = int(os.environ.get("KILLS", "1"))

Runs = Path
RunStages = Callable[[str, Runs], str]


def hooked_by(helper: str) -> str:
    """Return the PYTHONPATH of a process that loads a hook of the tests' helpers at its start."""
    return os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "helpers" / helper)))


@pytest.fixture(scope="module")
def recipe_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the recipe's file, beside its images."""
    folder = tmp_path_factory.mktemp("bars")
    images, labels = draw_bars(300)
    np.savez(folder / "bars.npz", images=images, labels=labels)
    sources = [{"kind": "array", "path": str(folder / "bars.npz")}]
    (folder / "bars.yaml").write_text(yaml.safe_dump({**RECIPE, "sources": sources}))
    return folder / "bars.yaml"


@pytest.fixture(scope="module")
def recipe(recipe_path: Path) -> Recipe:
    """Return the recipe."""
    return load_recipe(str(recipe_path))


@pytest.fixture(scope="module")
def run_here(recipe_path: Path) -> RunStages:
    """Run a command of the pipeline with its stages in this process: ``run_here("all", runs)``; it has to end well."""

    def command(target: str, runs: Runs) -> str:
        run_process = run.run_process

        def run_task(task: dict[str, Any], **options: Any) -> None:
            if task["stage"] == "export":
                run_process(task, **options)
            else:
                stage_process.run_task(task)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "run_process", run_task)
            assert guarded(lambda: app([target, "--recipe", str(recipe_path), "--runs", str(runs)])) == 0
        return target

    return command


@pytest.fixture(scope="module")
def start(recipe_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command of the pipeline as a process: ``start("train", runs, KILL_AT="state.npz")``."""

    def command(target: str, runs: Runs, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", target, "--recipe", str(recipe_path), "--runs", str(runs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": hooked_by("kill_at"), **environment},
        )

    return command


@pytest.fixture(scope="module")
def start_paused(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[subprocess.Popen[str], int]]:
    """Return a function that starts a stage and waits until its process has checked its inputs, and stands still.

    It returns the command's process, and the number of the stage's, which goes on by SIGCONT.
    """

    def command(target: str, runs: Runs) -> tuple[subprocess.Popen[str], int]:
        process = start(target, runs, PYTHONPATH=hooked_by("pause_at"))

        def stopped() -> list[int]:
            assert process.poll() is None, process.communicate()
            return children(process.pid, state="T")

        (stage,) = wait_until(stopped, "the stage has checked its inputs")
        return process, stage

    return command


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, run_here: RunStages) -> Runs:
    """Return a folder of runs after `all`, undisturbed. No test changes it."""
    runs = tmp_path_factory.mktemp("runs")
    run_here("all", runs)
    return runs


@pytest.fixture
def copied(finished: Runs, tmp_path: Path) -> Runs:
    """Return the same, to be changed."""
    return shutil.copytree(finished, tmp_path / "runs")


@pytest.fixture(scope="module")
def artifact(recipe: Recipe) -> Callable[[type[Artifact], Runs], Artifact]:
    """Return an artifact of the chain, by its type: ``artifact(Model, runs)``."""
    return lambda kind, runs: kind(chain.artifact_path(recipe, kind, runs=runs))


def test_every_artifact_is_whole_and_nothing_unfinished_is_left(
    finished: Runs, artifact: Callable[..., Artifact]
) -> None:
    for stage in chain.STAGES:
        assert artifact(stage.output, finished).damage(thorough=True) == []
    assert not list(finished.rglob(".partial-*"))
    assert not list(finished.rglob("*.tmp"))
    evaluation = artifact(ModelEvaluation, finished)
    assert (evaluation.path / "report.html").is_file()
    assert len(list((evaluation.path / "figures").glob("*.png"))) >= 4


def test_a_second_run_finds_everything_up_to_date(
    finished: Runs, run_here: RunStages, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times(finished)
    run_here("all", finished)
    assert capsys.readouterr().out.count("up to date") == 6
    assert times(finished) == before


def test_an_image_leads_back_to_the_images_that_its_model_was_trained_on(
    finished: Runs, artifact: Callable[..., Artifact]
) -> None:
    images, model = artifact(ImageSet, finished), artifact(Model, finished)
    row = pq.read_table(images.path / "metadata.parquet").slice(123, 1).to_pylist()[0]
    assert row["model"] == model.digest
    assert images.manifest.inputs["Generator"] == artifact(Generator, finished).digest
    assert model.manifest.inputs["Examples"] == artifact(Examples, finished).digest


def test_figures_are_drawn_anew_without_training(
    copied: Runs, run_here: RunStages, artifact: Callable[..., Artifact]
) -> None:
    evaluation, model = artifact(ModelEvaluation, copied), artifact(Model, copied)
    expected, before = evaluation.manifest, times(model.path)
    next((evaluation.path / "figures").glob("*.png")).unlink()
    run_here("figures", copied)
    assert_same(artifact(ModelEvaluation, copied), expected)
    assert times(model.path) == before


@pytest.mark.process
@pytest.mark.parametrize("stage", chain.STAGES, ids=lambda stage: stage.name)
def test_a_stage_killed_at_a_write_resumes_to_the_same_bytes(
    stage: Stage,
    copied: Runs,
    recipe: Recipe,
    start: Callable[..., subprocess.Popen[str]],
    run_here: RunStages,
    artifact: Callable[..., Artifact],
) -> None:
    expected = artifact(stage.output, copied).manifest
    shutil.rmtree(artifact(stage.output, copied).path)
    name, time = WRITES[stage.name]
    process = start(stage.name, copied, KILL_AT=name, KILL_AT_TIME=str(time))
    _, errors = process.communicate()
    assert process.returncode == 1
    log = copied / recipe.name / ".logs" / f"{stage.name}.log"
    assert errors == (
        f"error: {stage.name}: was interrupted (signal {signal.SIGKILL:d}) by somebody, or by the system, as when memory "
        f"runs out; run the same command again to resume; the log: {log}\n"
    )
    assert not artifact(stage.output, copied).exists
    if stage.name == "evaluate":  # of all stages it loads most libraries: none of them writes on the screen
        process = start(stage.name, copied)
        output, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        assert not [noise for noise in ("WARNING", "INFO", "cuda", "oneDNN", "absl") if noise in output]
    else:
        run_here(stage.name, copied)
    assert_same(artifact(stage.output, copied), expected)


@pytest.mark.process
@pytest.mark.parametrize(
    "stage",
    # Train's case of every day is the test after this one.
    [stage if stage.name == "ingest" else pytest.param(stage, marks=pytest.mark.kills) for stage in chain.STAGES],
    ids=lambda stage: stage.name,
)
def test_a_stage_whose_input_is_replaced_before_it_reads_it_names_no_other(
    stage: Stage,
    copied: Runs,
    recipe_path: Path,
    start_paused: Callable[..., tuple[subprocess.Popen[str], int]],
    artifact: Callable[..., Artifact],
) -> None:
    """The other one is put in its place by hand, as by a machine that does not see this one's locks."""
    output = artifact(stage.output, copied)
    shutil.rmtree(output.path)
    process, number = start_paused(stage.name, copied)
    source = recipe_path.with_name("bars.npz")
    before = source.read_bytes()
    try:
        if stage.inputs:
            read = artifact(stage.inputs[0], copied)
            read.path.rename(read.path.with_name("former"))
            other = type(read)(shutil.copytree(read.path.with_name("former"), read.path))
            fields = ("inputs", "counts", "recipe", "versions", "duration_seconds", "created")
            other.seal(settings={"seed": 1}, **other.manifest.model_dump(include=set(fields)))
            expected = (
                f"error: {read.path}: expected the same {read.TYPE} until everything was read, found another run's"
            )
        else:
            images, labels = draw_bars(301)
            np.savez(source, images=images, labels=labels)
            expected = (
                "error: sources: expected the same content until everything was read, found that some of it was changed"
            )
        os.kill(number, signal.SIGCONT)
        _, errors = process.communicate()
    finally:
        source.write_bytes(before)
    assert (process.returncode, errors.count("\n")) == (1, 1)
    assert errors.startswith(expected)
    assert not output.exists
    assert not list(copied.rglob(".partial-*"))


@pytest.mark.process
def test_an_ingest_with_other_settings_does_not_replace_what_a_paused_train_reads(
    copied: Runs,
    recipe_path: Path,
    start_paused: Callable[..., tuple[subprocess.Popen[str], int]],
    artifact: Callable[..., Artifact],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.0)
    monkeypatch.setattr(run, "run_process", lambda task, **_: stage_process.run_task(task))
    model, examples = artifact(Model, copied), artifact(Examples, copied)
    expected, digest = model.manifest, examples.digest
    shutil.rmtree(model.path)
    process, number = start_paused("train", copied)
    other = ["ingest", "--recipe", str(recipe_path), "--runs", str(copied), "--set", "seed=1"]
    assert guarded(lambda: app(other)) == 1
    message = f"error: {examples.path}: expected nobody to read what is to be replaced, found a run that does; when it has ended"
    assert capsys.readouterr().err.startswith(message)
    os.kill(number, signal.SIGCONT)
    assert (*process.communicate(), process.returncode)[1:] == ("", 0)
    assert_same(artifact(Model, copied), expected)
    assert guarded(lambda: app(other)) == 0
    assert examples.digest != digest


@pytest.mark.kills
@pytest.mark.parametrize("stage", chain.STAGES, ids=lambda stage: stage.name)
def test_a_stage_killed_at_any_moment_resumes_to_the_same_bytes(
    stage: Stage,
    copied: Runs,
    start: Callable[..., subprocess.Popen[str]],
    run_here: RunStages,
    artifact: Callable[..., Artifact],
) -> None:
    expected = artifact(stage.output, copied).manifest
    shutil.rmtree(artifact(stage.output, copied).path)
    kills = 0
    while kills < KILLS:
        process = start(stage.name, copied)
        moment = random.uniform(0.3, expected.duration_seconds + 8.0)  # starting takes some seconds, too
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            print(f"{stage.name}: killed after {moment:.1f} s")
        else:  # it was done sooner: once more from the beginning
            assert process.returncode == 0
            assert_same(artifact(stage.output, copied), expected)
            shutil.rmtree(artifact(stage.output, copied).path)
    run_here(stage.name, copied)
    assert_same(artifact(stage.output, copied), expected)
