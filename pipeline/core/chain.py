"""The six stages in order, where their artifacts are, and which of them are stale and why.

Content decides: digests of inputs and the settings that a stage reads, never modification times.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.evaluate.component import STAGE as EVALUATE
from components.export.component import STAGE as EXPORT
from components.generate.component import STAGE as GENERATE
from components.ingest.component import STAGE as INGEST
from components.train.component import STAGE as TRAIN
from components.tune.component import STAGE as TUNE
from schemas.artifacts import locks
from schemas.artifacts.kinds import Examples, ImageSet
from schemas.artifacts.manifest import Artifact
from schemas.artifacts.staging import Staging, recover
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import StageSettings, by_key
from schemas.stage import Stage

STAGES: tuple[Stage, ...] = (INGEST, TUNE, TRAIN, EVALUATE, EXPORT, GENERATE)

_FOLDERS = {
    "Examples": "examples",
    "HyperParameters": "hyperparameters",
    "Model": "model",
    "ModelEvaluation": "evaluation",
    "Generator": "generator",
}

SHOWN = 40  # characters of a value that has changed


@dataclass(frozen=True)
class Status:
    """Whether a stage has to run, and why.

    Attributes:
        stage: The stage.
        output: Its artifact, which need not exist.
        settings: The settings that it reads of the recipe.
        inputs: Digests of the inputs that it would read now; None while it waits for another stage.
        reason: Why it has to run; empty if it is fresh.
        damaged: Whether the reason is that its artifact differs from its manifest.
        busy: Whether the reason is that another run is making its artifact.
    """

    stage: Stage
    output: Artifact
    settings: StageSettings
    inputs: dict[str, str] | None
    reason: str
    damaged: bool = False
    busy: bool = False

    @property
    def fresh(self) -> bool:
        """Whether the stage has nothing to do."""
        return not self.reason

    def staging(self) -> Staging:
        """Return the folder in which its artifact is written until it is whole."""
        content = json.dumps([self.inputs, self.settings.content()], sort_keys=True)
        return Staging(self.output.path, hashlib.sha256(content.encode()).hexdigest())


def artifact_path(recipe: Recipe, kind: type[Artifact], *, runs: Path) -> Path:
    """Return the folder of a recipe's artifact."""
    if kind is ImageSet:
        return runs / recipe.name / "images" / recipe.generate.folder
    return runs / recipe.name / _FOLDERS[kind.TYPE]


def stages_for(target: str) -> list[Stage]:
    """Return the stages that `target` needs, in order. `all` needs all six; train does not need tune."""
    if target == "all":
        return list(STAGES)
    by_output = {stage.output: stage for stage in STAGES}
    needed: set[str] = set()

    def add(stage: Stage) -> None:
        needed.add(stage.name)
        for kind in stage.inputs:
            add(by_output[kind])

    add(next(stage for stage in STAGES if stage.name == target))
    return [stage for stage in STAGES if stage.name in needed]


def kinds_of(stage: Stage) -> dict[str, type[Artifact]]:
    """Return the types of all artifacts that a stage can read, in order, by their names in its manifest."""
    return {kind.TYPE: kind for kind in (*stage.inputs, *stage.optional)}


def inputs_of(stage: Stage, recipe: Recipe, *, runs: Path) -> dict[str, Artifact | None]:
    """Return the artifacts that a stage is called with, in order, by their names in its manifest.

    An optional one is None if the recipe does not use it, it does not exist, or it was made from other Examples.
    """
    required: dict[str, Artifact | None] = {
        kind.TYPE: kind(artifact_path(recipe, kind, runs=runs)) for kind in stage.inputs
    }
    return required | {kind.TYPE: _optional(stage, kind, recipe, runs=runs) for kind in stage.optional}


def _optional(stage: Stage, kind: type[Artifact], recipe: Recipe, *, runs: Path) -> Artifact | None:
    artifact = kind(artifact_path(recipe, kind, runs=runs))
    examples = Examples(artifact_path(recipe, Examples, runs=runs))
    if kind not in used_inputs(stage, recipe) or not artifact.exists or not examples.exists:
        return None
    fits = kind is Examples or artifact.manifest.inputs.get(Examples.TYPE) == examples.digest
    return artifact if fits else None


def used_inputs(stage: Stage, recipe: Recipe) -> list[type[Artifact]]:
    """Return the types of the artifacts that a stage reads with this recipe, in order."""
    settings = stage.settings.of(recipe)
    return [*stage.inputs, *(kind for kind, uses in stage.optional.items() if uses(settings))]


def status_of(stage: Stage, recipe: Recipe, *, runs: Path, before: list[Status]) -> Status:
    """Decide whether a stage has to run.

    Args:
        stage: The stage.
        recipe: With overrides applied.
        runs: Folder of all runs.
        before: The status of the stages that run before it.

    Raises:
        UsageError: A source does not exist.
        DataError: The manifest of an input is broken.
    """
    output = stage.output(artifact_path(recipe, stage.output, runs=runs))
    busy = locks.is_written(output.path)
    if not busy:
        recover(output.path)
    settings = stage.settings.of(recipe)
    used = used_inputs(stage, recipe)
    for other in before:
        if not other.fresh and other.stage.output in used:
            return Status(stage, output, settings, None, f"waiting for {other.stage.name}")
    artifacts = inputs_of(stage, recipe, runs=runs)
    inputs = {name: artifact.digest for name, artifact in artifacts.items() if artifact is not None}
    manifest = None
    if output.exists:
        try:
            manifest = output.manifest
            damage = output.damage(thorough=False)
        except DataError as error:
            damage = [str(error)]
        if damage:
            return Status(stage, output, settings, inputs, f"damaged: {damage[0]}", damaged=True)
    elif line := output.in_its_place():
        return Status(stage, output, settings, inputs, f"damaged: {line}", damaged=True)
    if stage.external is not None:
        for name, digest in stage.external(settings).items():
            if digest is None:
                # Without a path, the images are those that were read when there was one.
                if manifest is None:
                    raise UsageError(
                        f"{name}: expected the path of your images, found none; set SOURCE=… (or --source …)"
                    )
                digest = manifest.inputs[name]
            inputs[name] = digest
    if manifest is None and busy:
        return Status(stage, output, settings, inputs, "another run is making it", busy=True)
    if manifest is None:
        interrupted = Status(stage, output, settings, inputs, "-").staging().root.exists()
        return Status(stage, output, settings, inputs, "was interrupted; resumes" if interrupted else "no result yet")
    changes = _changes(manifest.inputs, inputs) + _changes(
        _by_key(stage.settings.updated(manifest.settings)), _by_key(settings.content())
    )
    more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
    return Status(stage, output, settings, inputs, f"{changes[0]}{more}" if changes else "")


def all_statuses(recipe: Recipe, stages: list[Stage], *, runs: Path) -> list[Status]:
    """Return the status of each stage; an error that keeps one from running is its reason."""
    statuses: list[Status] = []
    for stage in stages:
        # An optional input that was never made is not waited for: train works without a search.
        earlier = [other for other in statuses if other.output.exists or other.stage.output not in stage.optional]
        try:
            statuses.append(status_of(stage, recipe, runs=runs, before=earlier))
        except UsageError as error:
            output = stage.output(artifact_path(recipe, stage.output, runs=runs))
            statuses.append(Status(stage, output, stage.settings.of(recipe), None, str(error)))
    return statuses


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{key} changed: {_brief(before.get(key))} → {_brief(now.get(key))}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def _by_key(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings by recipe key, those of each source too, such as `sources.0.label`."""
    values: dict[str, Any] = {}
    for key, value in by_key(settings).items():
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            values |= by_key({str(number): item for number, item in enumerate(value)}, f"{key}.")
        else:
            values[key] = value
    return values


def _brief(value: Any) -> str:
    """Return a value as `status` shows it: as in a recipe, a hash by its first digits."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if re.fullmatch("[0-9a-f]{64}", text):
        return f"{text[:8]}…"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
