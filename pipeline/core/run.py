"""Runs what is stale, a process per stage: memory and noise of one stage never reach the next, or a person's screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.evaluate.component import STAGE as EVALUATE
from components.reporting.console import console
from pipeline.core.chain import Standing, inputs_of, standing
from pipeline.core.child_process import run_module
from pipeline.core.stage_process import task_for
from pipeline.recipes.summary import print_recipe
from schemas.artifacts.manifest import Artifact
from schemas.errors import DataError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage


def run_stages(recipe: Recipe, stages: list[Stage], *, runs: Path, dry_run: bool, verbose: bool) -> list[Artifact]:
    """Brings these stages up to date, in order.

    Args:
        recipe: With overrides applied.
        stages: In order, each after what it needs.
        runs: Folder of all runs.
        dry_run: Only say what would run.
        verbose: Print every setting, and let the libraries' log reach the screen.

    Returns:
        The stages' artifacts.

    Raises:
        DataError: An artifact is not what its manifest says.
        StageFailed: A stage ended without one.
    """
    found: list[Standing] = []
    printed = False
    for stage in stages:
        now = standing(stage, recipe, runs=runs, before=found)
        if now.damaged:
            raise DataError(f"{now.reason.removeprefix('damaged: ')}; to make it again, remove {now.output.path}")
        if now.fresh:
            console.print(f"[bold]{stage.name:<9}[/bold] [green]up to date[/green]")
        else:
            if not printed:
                print_recipe(recipe, full=verbose)
                printed = True
            verb = "would run" if dry_run else "runs"
            console.print(f"[bold]{stage.name:<9}[/bold] {verb}: ", end="")
            console.print(now.reason, markup=False)
            if not dry_run:
                _run(now, recipe, runs=runs, verbose=verbose)
                now = Standing(stage, now.output, now.settings, now.inputs, "")
        found.append(now)
    return [item.output for item in found]


def redraw(recipe: Recipe, *, runs: Path, verbose: bool) -> Artifact:
    """Evaluates the model that there is once more, fresh or stale, and trains nothing: for figures after a change to them.

    Raises:
        DataError: There is no model, or it is not what its manifest says.
        StageFailed: The stage ended without a result.
    """
    now = standing(EVALUATE, recipe, runs=runs, before=[])
    console.print(f"[bold]{now.stage.name:<9}[/bold] runs: the figures are drawn anew")
    _run(now, recipe, runs=runs, verbose=verbose)
    return now.output


def _run(now: Standing, recipe: Recipe, *, runs: Path, verbose: bool) -> None:
    assert now.inputs is not None
    given = inputs_of(now.stage, recipe, runs=runs)
    task = task_for(now.stage, recipe, given=given, inputs=now.inputs, final=now.output.path)
    run_process(task, log_path=runs / recipe.name / ".logs" / f"{now.stage.name}.log", verbose=verbose)


def run_process(task: dict[str, Any], *, log_path: Path, verbose: bool = False, command: str | None = None) -> None:
    """Run one stage in a child process.

    Args:
        task: Made by `task_for`.
        log_path: File for the libraries' log.
        verbose: Let that log reach the screen instead.
        command: The command, where that is not the stage's own: the stage's lines then go to the log.

    Raises:
        StageFailed: The stage ended without its artifact.
    """
    run_module(
        "pipeline.core.stage_process",
        name=command or task["stage"],
        log_path=log_path,
        stdin=json.dumps(task).encode(),
        quiet=command is not None,
        verbose=verbose,
        hint="run the same command again to resume" if command is None else "",
    )
