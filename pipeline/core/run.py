"""Runs what is stale, a process per stage: memory and noise of one stage never reach the next, or a person's screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from components.evaluate.component import STAGE as EVALUATE
from components.reporting.console import console
from components.workers.lifetime import with_parent
from pipeline.core.chain import Standing, inputs_of, standing
from pipeline.core.stage_process import task_for
from pipeline.recipes.summary import print_recipe
from schemas.artifacts.manifest import Artifact
from schemas.errors import DataError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

ROOT = Path(__file__).resolve().parents[2]


class StageFailed(Exception):
    """A stage that ended with a line for a person (status 1 or 2), or unexpectedly."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


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


def run_process(task: dict[str, Any], *, log_path: Path, verbose: bool) -> None:
    """One stage in a process of its own. It reports a failure through a pipe; its log goes to a file.

    Args:
        task: Made by `task_for`.
        log_path: Of the libraries' log.
        verbose: Let that log reach the screen instead.

    Raises:
        StageFailed: The stage ended without its artifact.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    console.file.flush()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.core.stage_process", str(writing)],
            stdin=subprocess.PIPE,
            stderr=None if verbose else log,
            pass_fds=(writing,),
            env=child_environment(verbose=verbose),
        )
        os.close(writing)
        assert process.stdin is not None
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        status = process.wait()
    if said:
        raise StageFailed(json.loads(said)["message"], status)
    if status:
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        raise StageFailed(
            f"{task['stage']}: ended unexpectedly ({ended}){_last_line(log_path)}; what is finished is kept, "
            f"the same command continues; the log: {log_path}",
            1,
        )


def child_environment(*, verbose: bool) -> dict[str, str]:
    """The environment of a process that finds these packages, ends with this one, and in which TensorFlow says little."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "2")
    return {**os.environ, **with_parent(), "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": level}


def _last_line(path: Path) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""
