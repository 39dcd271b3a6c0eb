"""A stage's manifest names what the stage has read: an input that is replaced meanwhile is found, whoever replaced it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.chain_by_hand import NAMES, STAGE, Make, finish

from pipeline.core import chain, stage_process
from pipeline.core.chain import artifact_path, inputs_of
from pipeline.core.inputs import InputsChanged
from pipeline.core.stage_process import Task, run_task, task_for
from schemas.artifacts import locks
from schemas.artifacts.kinds import Examples, Model
from schemas.artifacts.manifest import Artifact
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe

READERS = [name for name in NAMES if name != "ingest"]
Work = Callable[[], None]
Start = Callable[..., Artifact]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no lock."""
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.0)


@pytest.fixture
def recipe(make: Make, runs: Path) -> Recipe:
    """Return a recipe whose stages have all run."""
    recipe = make()
    finish(recipe, runs, *NAMES)
    return recipe


def task_of(name: str, recipe: Recipe, runs: Path) -> Task:
    """Return the task of a stage that has to run again."""
    stage = STAGE[name]
    shutil.rmtree(artifact_path(recipe, stage.output, runs=runs), ignore_errors=True)
    status = chain.status_of(stage, recipe, runs=runs, before=[])
    assert status.inputs is not None
    artifacts = inputs_of(stage, recipe, runs=runs)
    return task_for(stage, recipe, artifacts=artifacts, digests=status.inputs, final=status.output.path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Task, Work], None]:
    """Return a function that runs a task whose stage writes one file, does something, and ends."""

    def run_with(task: Task, meanwhile: Work) -> None:
        def work(*artifacts: Artifact | None) -> dict[str, int]:
            *_, output, _ = artifacts
            assert output is not None
            (output.path / "content.txt").write_text("made")
            (output.work / "state").write_text("of what was read")
            meanwhile()
            return {}

        stages = tuple(replace(stage, run=work) if stage.name == task["stage"] else stage for stage in chain.STAGES)
        monkeypatch.setattr(stage_process, "STAGES", stages)
        run_task(task)

    return run_with


def put_another(artifact: Artifact, **changes: Any) -> None:
    """Put another artifact into the place of one, as a run does whose machine sees no locks."""
    manifest = artifact.manifest
    other = type(artifact)(artifact.path.with_name("other"))
    shutil.copytree(artifact.path, other.path)
    fields = manifest.model_dump(
        include={"inputs", "settings", "counts", "recipe", "versions", "duration_seconds", "created"}
    )
    other.seal(**{**fields, **changes})
    shutil.rmtree(artifact.path)
    other.path.rename(artifact.path)


def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("changes", [{"settings": {"seed": 9}}, {"created": "later"}], ids=["others", "alike"])
def test_an_input_that_is_replaced_while_it_is_read_ends_every_stage(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None], name: str, changes: dict[str, Any]
) -> None:
    """Also by one of the same content: between the two, it may have been another one."""
    task = task_of(name, recipe, runs)
    kind = STAGE[name].inputs[0]
    artifact = kind(artifact_path(recipe, kind, runs=runs))
    expected = f"^{re.escape(str(artifact.path))}: expected the same {kind.TYPE} until everything was read, found another run's"
    with pytest.raises(InputsChanged, match=expected):
        run(task, lambda: put_another(artifact, **changes))
    assert not Path(task["final"]).exists()
    assert not list(runs.rglob(".partial-*"))  # nobody resumes with it


def test_sources_that_change_while_they_are_read_end_ingest(
    recipe: Recipe, runs: Path, source_folder: Path, run: Callable[[Task, Work], None]
) -> None:
    task = task_of("ingest", recipe, runs)
    with pytest.raises(InputsChanged, match=r"^sources: expected the same content until everything was read"):
        run(task, lambda: (source_folder / "b.png").write_bytes(b"b") and None)
    assert not Path(task["final"]).exists()


@pytest.mark.parametrize("name", READERS)
def test_an_input_that_was_replaced_before_the_stage_began_is_found(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None], name: str
) -> None:
    task = task_of(name, recipe, runs)
    kind = STAGE[name].inputs[0]
    put_another(kind(artifact_path(recipe, kind, runs=runs)), settings={"seed": 9})
    with pytest.raises(InputsChanged, match=rf"expected {kind.TYPE} \w{{12}}…, found \w{{12}}… of another run"):
        run(task, nothing)
    assert not Path(task["final"]).exists()


def test_the_error_of_a_stage_whose_input_was_replaced_is_that(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None]
) -> None:
    examples = Examples(artifact_path(recipe, Examples, runs=runs))

    def swap_and_fail() -> None:
        put_another(examples, settings={"seed": 9})
        raise ValueError("a shard is gone")

    with pytest.raises(InputsChanged, match="expected the same Examples"):
        run(task_of("train", recipe, runs), swap_and_fail)


def test_other_errors_and_what_was_begun_stay_as_they_are(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None]
) -> None:
    def fail() -> None:
        raise UsageError("a setting")

    with pytest.raises(UsageError, match="a setting"):
        run(task_of("train", recipe, runs), fail)
    assert [path.read_text() for path in runs.rglob("state")] == ["of what was read"]


def test_work_on_an_input_that_was_made_again_since_is_not_resumed(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None]
) -> None:
    examples = Examples(artifact_path(recipe, Examples, runs=runs))
    task = task_of("train", recipe, runs)

    def fail() -> None:
        (state,) = runs.rglob("state")
        state.with_name("unfinished").touch()
        raise UsageError("killed")

    for _ in range(2):
        with pytest.raises(UsageError):
            run(task, fail)
    assert list(runs.rglob("unfinished"))
    put_another(examples, created="later")

    def look() -> None:
        assert not list(runs.rglob("unfinished"))

    run(task, look)
    assert Model(Path(task["final"])).manifest.inputs["Examples"] == examples.digest


def test_a_run_does_not_replace_what_another_one_reads(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None]
) -> None:
    """Where both see each other's locks, the one that reads is not disturbed, and the other one resumes later."""
    examples = Examples(artifact_path(recipe, Examples, runs=runs))
    ingest = task_of("ingest", recipe, runs)
    run(ingest, nothing)  # which makes the lock file
    digest = examples.digest

    def ingest_again() -> None:
        expected = r"examples: expected nobody to read what is to be replaced, found a run that does; when it has ended"
        with pytest.raises(DataError, match=expected):
            run(ingest, nothing)

    train = task_of("train", recipe, runs)
    run(train, ingest_again)
    assert Model(Path(train["final"])).manifest.inputs["Examples"] == digest == examples.digest
    run(ingest, nothing)


def test_locks_that_cannot_be_made_keep_nobody_from_reading(
    recipe: Recipe, runs: Path, run: Callable[[Task, Work], None]
) -> None:
    task = task_of("train", recipe, runs)
    examples = artifact_path(recipe, Examples, runs=runs)
    assert not examples.with_name(".readers-examples").exists()  # it was sealed by hand
    run(task, nothing)
    assert not examples.with_name(".readers-examples").exists()
    assert sorted(os.listdir(examples)) == ["content.txt", "manifest.json"]
