"""Runs stale stages, each in a child process, so that its memory and its libraries' log stay apart from the next one's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from components.evaluate.component import STAGE as EVALUATE
from components.generate.component import STAGE as GENERATE
from components.reporting.console import console, say
from components.train.component import STAGE as TRAIN
from components.train.component import expect_start
from pipeline.core.chain import Status, artifact_path, inputs_of, status_of
from pipeline.core.child_process import StageFailed, run_module
from pipeline.core.contents import place
from pipeline.core.labels import expect_labels
from pipeline.core.stage_process import Task, stage_of, staging_of, task_for
from pipeline.core.trust import expect_trusted
from pipeline.recipes.summary import print_recipe
from schemas.artifacts.kinds import Examples, Generator, Model
from schemas.artifacts.manifest import Artifact
from schemas.errors import DataError
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import TrainSettings
from schemas.stage import Stage


def run_stages(
    recipe: Recipe, stages: list[Stage], *, runs: Path, dry_run: bool, verbose: bool, trust: bool = False
) -> list[Artifact]:
    """Bring these stages up to date, in order.

    Args:
        recipe: With overrides applied.
        stages: In order, each after what it needs.
        runs: Folder of all runs.
        dry_run: Print what would run, and run nothing.
        verbose: Print every setting, and let the libraries' log reach the screen.
        trust: Load a generator, even if this machine did not make it.

    Returns:
        The stages' artifacts.

    Raises:
        UsageError: A generator is not trusted (`pipeline.core.trust`), or the model that training starts from does not fit.
        DataError: An artifact differs from its manifest.
        StageFailed: A stage ended without its artifact.
    """
    if TRAIN in stages:
        own = artifact_path(recipe, Model, runs=runs)
        expect_start(TrainSettings.of(recipe), recipe.preprocess, own=own)
    statuses: list[Status] = []
    made: set[Path] = set()  # artifacts of this run
    printed = False
    for number, stage in enumerate(stages):
        status = status_of(stage, recipe, runs=runs, before=statuses)
        if status.damaged:
            damage = status.reason.removeprefix("damaged: ")
            if status.output.in_its_place():
                raise DataError(f"{damage}; move it to another place")
            raise DataError(f"{damage}; to make it again, remove {status.output.path}")
        if status.fresh:
            console.print(f"[bold]{stage.name:<9}[/bold] [green]up to date[/green]: ", end="")
            last = stage is stages[-1]  # what the command is for
            console.print(place(status.output) if last else str(status.output.path), markup=False)
        else:
            if not printed:
                later = _statuses(stages[number + 1 :], recipe, runs=runs, before=[*statuses, status])
                readers = [each.stage.settings for each in (status, *later) if not each.fresh]
                print_recipe(recipe, readers=readers, full=verbose)
                printed = True
            verb = "would run" if dry_run else "waits" if status.busy else "runs"
            console.print(f"[bold]{stage.name:<9}[/bold] {verb}: ", end="")
            console.print(status.reason, markup=False)
            if not dry_run:
                for artifact in inputs_of(stage, recipe, runs=runs).values():
                    if isinstance(artifact, Generator) and artifact.path not in made:
                        expect_trusted(artifact, trust=trust)
                _run(status, recipe, runs=runs, verbose=verbose)
                say(f"result  {place(status.output)}")
                made.add(status.output.path)
                status = replace(status, reason="")
        if isinstance(status.output, Examples) and status.fresh and GENERATE in stages:
            expect_labels(recipe, status.output)
        statuses.append(status)
    return [status.output for status in statuses]


def _statuses(stages: list[Stage], recipe: Recipe, *, runs: Path, before: list[Status]) -> list[Status]:
    """Return the status that each stage has before the first of them runs."""
    statuses = list(before)
    for stage in stages:
        statuses.append(status_of(stage, recipe, runs=runs, before=statuses))
    return statuses[len(before) :]


def redraw(recipe: Recipe, *, runs: Path, verbose: bool) -> Artifact:
    """Evaluate the existing model again, fresh or stale, and train nothing: to draw the figures anew.

    Raises:
        DataError: The model does not exist, or differs from its manifest.
        StageFailed: The stage ended without its artifact.
    """
    status = status_of(EVALUATE, recipe, runs=runs, before=[])
    console.print(f"[bold]{status.stage.name:<9}[/bold] runs: draws the figures anew")
    _run(status, recipe, runs=runs, verbose=verbose)
    return status.output


def _run(status: Status, recipe: Recipe, *, runs: Path, verbose: bool) -> None:
    assert status.inputs is not None
    artifacts = inputs_of(status.stage, recipe, runs=runs)
    task = task_for(status.stage, recipe, artifacts=artifacts, digests=status.inputs, final=status.output.path)
    run_process(task, log_path=runs / recipe.name / ".logs" / f"{status.stage.name}.log", verbose=verbose)


def run_process(task: Task, *, log_path: Path, verbose: bool = False, command: str | None = None) -> None:
    """Run one stage in a child process; again after a crash, as long as the stage knows how to go on.

    Args:
        task: Made by `task_for`.
        log_path: File for the libraries' log.
        verbose: Let that log reach the screen instead.
        command: The command, where that is not the stage's own: the stage's lines then go to the log.

    Raises:
        StageFailed: The stage ended without its artifact.
    """
    after_crash = stage_of(task).after_crash
    while True:
        try:
            run_module(
                "pipeline.core.stage_process",
                name=command or task["stage"],
                log_path=log_path,
                stdin=json.dumps(task).encode(),
                quiet=command is not None,
                verbose=verbose,
                hint="run the same command again to resume" if command is None else "",
            )
        except StageFailed as failure:
            remedy = after_crash(staging_of(task).work) if after_crash and failure.crashed else None
            if remedy is None:
                raise
            say(f"note    a process crashed: {remedy}")
        else:
            return
