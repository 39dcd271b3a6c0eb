"""Runs one stage in a child process: ``python -m pipeline.core.stage_process FD``, with its task as JSON on standard input.

It writes the artifact in its staging folder, seals it, and renames it. An error that a person can mend goes to the file
descriptor FD.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from components.workers.child import run_as_child
from pipeline.core import trust
from pipeline.core.chain import STAGES, Status, kinds_of
from pipeline.core.inputs import Inputs, InputsChanged
from schemas.artifacts import locks
from schemas.artifacts.kinds import Generator
from schemas.artifacts.manifest import Artifact
from schemas.artifacts.staging import Staging
from schemas.errors import DataError, UsageError
from schemas.recipe.published import published
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import StageSettings
from schemas.stage import Stage


class Task(TypedDict):
    """What a stage's process needs, as JSON data.

    Attributes:
        stage: Name of the stage.
        settings: The settings that it reads.
        recipe: The recipe, for the manifest alone, without paths.
        artifacts: Paths of its inputs, in order, by their names in the manifest; None: that optional input is not used.
        digests: Digests of its inputs and of the external data that it reads, by their names in the manifest.
        final: Path of its artifact.
    """

    stage: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    artifacts: dict[str, str | None]
    digests: dict[str, str]
    final: str


def main() -> None:
    """Run the task on standard input.

    Raises:
        UsageError, DataError: As for `run_task`; or the system refuses a file, or has no room for it.
    """
    task: Task = json.loads(sys.stdin.buffer.read())
    try:
        run_task(task)
    except OSError as error:
        if error.errno is None:
            raise
        problem = f"{error.filename or 'a file'}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            problem = f"{Path(task['final']).parent}: expected room on the disk, found none left ({error.strerror})"
        raise DataError(f"{problem}; run the same command again to resume") from None


def task_for(
    stage: Stage, recipe: Recipe, *, artifacts: Mapping[str, Artifact | None], digests: Mapping[str, str], final: Path
) -> Task:
    """Return the task of one stage of a recipe.

    Args:
        stage: The stage.
        recipe: With overrides applied.
        artifacts: The artifacts that it reads, as `inputs_of` returns them.
        digests: Digests of these and of the other data that it reads, by their names in the manifest.
        final: Where its artifact goes.
    """
    settings, document = stage.settings.of(recipe), recipe.model_dump(mode="json")
    return make_task(stage, settings, recipe=document, artifacts=artifacts, digests=digests, final=final)


def make_task(
    stage: Stage,
    settings: StageSettings,
    *,
    recipe: Mapping[str, Any],
    artifacts: Mapping[str, Artifact | None],
    digests: Mapping[str, str],
    final: Path,
) -> Task:
    """Return the task of one stage with these settings; `recipe` goes into the manifest alone. See `task_for`."""
    return {
        "stage": stage.name,
        "settings": settings.to_json(),
        "recipe": published(recipe),
        "artifacts": {name: None if artifact is None else str(artifact.path) for name, artifact in artifacts.items()},
        "digests": dict(digests),
        "final": str(final),
    }


def run_task(task: Task) -> None:
    """Run one stage, from its inputs to its sealed artifact under its final name.

    Raises:
        UsageError: A setting cannot be used.
        DataError: The data cannot be used, or another process runs the same stage or reads its artifact.
        InputsChanged: Another run has replaced an artifact, or somebody has changed other data, that the stage reads.
    """
    stage = stage_of(task)
    settings = stage.settings.from_json(task["settings"])
    final = stage.output(Path(task["final"]))
    staging = staging_of(task)
    kinds = kinds_of(stage)
    artifacts = {name: None if path is None else kinds[name](Path(path)) for name, path in task["artifacts"].items()}
    inputs = Inputs(
        {name: artifact for name, artifact in artifacts.items() if artifact is not None},
        task["digests"],
        external=lambda: {} if stage.external is None else stage.external(settings),
    )
    staging.root.parent.mkdir(parents=True, exist_ok=True)
    with locks.writing(final.path):
        if final.exists:
            with locks.replacing(final.path):  # says at once, and not after hours, that somebody reads it
                pass
        try:
            with inputs.held() as editions:
                began = time.monotonic()
                staging.keep_only(editions)
                output = staging.open(stage.output)
                counts = stage.run(*artifacts.values(), output, settings)
            with inputs.compared():
                output.seal(
                    inputs=task["digests"],
                    settings=settings.content(),
                    counts=counts,
                    recipe=task["recipe"],
                    versions=versions_of(stage),
                    duration_seconds=round(time.monotonic() - began, 3),
                    created=datetime.now(UTC).isoformat(timespec="seconds"),
                )
        except InputsChanged:
            staging.discard()  # which has been made of others than its name stands for
            raise
        except (UsageError, DataError):
            staging.discard_unused()  # refused before the work: nothing was interrupted
            raise
        if isinstance(output, Generator):
            trust.remember(output)
        with locks.replacing(final.path):
            staging.publish()


def stage_of(task: Task) -> Stage:
    """Return the stage that a task runs."""
    return next(stage for stage in STAGES if stage.name == task["stage"])


def staging_of(task: Task) -> Staging:
    """Return the folder in which a task writes its artifact."""
    stage = stage_of(task)
    settings = stage.settings.from_json(task["settings"])
    return Status(stage, stage.output(Path(task["final"])), settings, task["digests"], "runs").staging()


def versions_of(stage: Stage) -> dict[str, str]:
    """Return the versions for the manifest: of Python, this project, and the packages that the stage declares."""
    versions = {"python": platform.python_version(), "latent-mill": importlib.metadata.version("latent-mill")}
    return versions | {name: importlib.metadata.version(name) for name in stage.packages}


if __name__ == "__main__":
    sys.exit(run_as_child(main))
