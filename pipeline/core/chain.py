"""The six stages in order, where their artifacts are, and which of them are stale and why. Content decides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.evaluate.component import STAGE as EVALUATE
from components.export.component import STAGE as EXPORT
from components.generate.component import STAGE as GENERATE
from components.ingest.component import STAGE as INGEST
from components.train.component import STAGE as TRAIN
from components.tune.component import STAGE as TUNE
from schemas.artifacts.kinds import Examples, ImageSet
from schemas.artifacts.manifest import Artifact
from schemas.artifacts.staging import Staging, recover
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import StageSettings
from schemas.stage import Stage

STAGES: tuple[Stage, ...] = (INGEST, TUNE, TRAIN, EVALUATE, EXPORT, GENERATE)

_FOLDERS = {
    "Examples": "examples",
    "HyperParameters": "hyperparameters",
    "Model": "model",
    "ModelEvaluation": "evaluation",
    "Generator": "generator",
}


@dataclass(frozen=True)
class Standing:
    """How a stage stands.

    Attributes:
        stage: The stage.
        output: Its artifact, there or not.
        settings: What it reads of the recipe.
        inputs: Digests of what it would read now; None while something before it has to run first.
        reason: Why it has to run; empty where it is fresh.
        damaged: Whether the reason is that its artifact is not what its manifest says.
    """

    stage: Stage
    output: Artifact
    settings: StageSettings
    inputs: dict[str, str] | None
    reason: str
    damaged: bool = False

    @property
    def fresh(self) -> bool:
        """Whether there is nothing to do."""
        return not self.reason

    def staging(self) -> Staging:
        """Where its artifact grows."""
        content = json.dumps([self.inputs, self.settings.content()], sort_keys=True)
        return Staging(self.output.path, hashlib.sha256(content.encode()).hexdigest())


def artifact_path(recipe: Recipe, kind: type[Artifact], *, runs: Path) -> Path:
    """Where a recipe's artifact is."""
    if kind is ImageSet:
        return runs / recipe.name / "images" / recipe.generate.folder
    return runs / recipe.name / _FOLDERS[kind.TYPE]


def stages_for(target: str) -> list[Stage]:
    """The stages that `target` needs, in order; `all` needs all, train does without tune."""
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
    """The types of all artifacts that a stage may be called with, in order, by their names in its manifest."""
    return {kind.TYPE: kind for kind in (*stage.inputs, *stage.optional)}


def inputs_of(stage: Stage, recipe: Recipe, *, runs: Path) -> dict[str, Artifact | None]:
    """The artifacts that a stage is called with, in order, named as in its manifest.

    An optional one is None where there is none for the others.
    """
    found: dict[str, Artifact | None] = {
        kind.TYPE: kind(artifact_path(recipe, kind, runs=runs)) for kind in stage.inputs
    }
    return found | {kind.TYPE: _optional(stage, kind, recipe, runs=runs) for kind in stage.optional}


def _optional(stage: Stage, kind: type[Artifact], recipe: Recipe, *, runs: Path) -> Artifact | None:
    artifact = kind(artifact_path(recipe, kind, runs=runs))
    examples = Examples(artifact_path(recipe, Examples, runs=runs))
    if kind not in wanted(stage, recipe) or not artifact.exists or not examples.exists:
        return None
    fits = kind is Examples or artifact.manifest.inputs.get(Examples.TYPE) == examples.digest
    return artifact if fits else None


def wanted(stage: Stage, recipe: Recipe) -> list[type[Artifact]]:
    """The types of what a recipe lets a stage have of the same recipe's artifacts, in order."""
    settings = stage.settings.of(recipe)
    return [*stage.inputs, *(kind for kind, says in stage.optional.items() if says(settings))]


def standing(stage: Stage, recipe: Recipe, *, runs: Path, before: list[Standing]) -> Standing:
    """How a stage stands, given how those that run before it stand.

    Raises:
        UsageError: A source is not there.
        DataError: The manifest of an input is broken.
    """
    output = stage.output(artifact_path(recipe, stage.output, runs=runs))
    recover(output.path)
    settings = stage.settings.of(recipe)
    waits = [other.stage.name for other in before if not other.fresh and other.stage.output in wanted(stage, recipe)]
    if waits:
        return Standing(stage, output, settings, None, f"{waits[0]} comes first")
    inputs = {name: found.digest for name, found in inputs_of(stage, recipe, runs=runs).items() if found is not None}
    manifest = None
    if output.exists:
        try:
            manifest = output.manifest
            damage = output.damage(thorough=False)
        except DataError as error:
            damage = [str(error)]
        if damage:
            return Standing(stage, output, settings, inputs, f"damaged: {damage[0]}", damaged=True)
    if stage.external is not None:
        for name, digest in stage.external(settings).items():
            if digest is None:
                # The path was given when the images were read; without it, what was read then is what there is.
                if manifest is None:
                    raise UsageError(
                        f"{name}: expected the path of your images, found none; set SOURCE=… (or --source …)"
                    )
                digest = manifest.inputs[name]
            inputs[name] = digest
    if manifest is None:
        begun = Standing(stage, output, settings, inputs, "-").staging().root.exists()
        return Standing(stage, output, settings, inputs, "was interrupted, continues" if begun else "never ran")
    changes = _changes(manifest.inputs, inputs) + _changes(_flat(manifest.settings), _flat(settings.content()))
    more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
    return Standing(stage, output, settings, inputs, f"{changes[0]}{more}" if changes else "")


def standings(recipe: Recipe, stages: list[Stage], *, runs: Path) -> list[Standing]:
    """How each of these stages stands; what keeps one from running is its reason."""
    found: list[Standing] = []
    for stage in stages:
        # A search that there never was is not waited for: train does without one.
        before = [other for other in found if other.output.exists or other.stage.output not in stage.optional]
        try:
            found.append(standing(stage, recipe, runs=runs, before=before))
        except UsageError as error:
            output = stage.output(artifact_path(recipe, stage.output, runs=runs))
            found.append(Standing(stage, output, stage.settings.of(recipe), None, str(error)))
    return found


def _changes(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    lines = []
    for key in sorted(then.keys() | now.keys()):
        if then.get(key) != now.get(key):
            before, after = _brief(then.get(key)), _brief(now.get(key))
            lines.append(f"{key} changed: {before} → {after}")
    return lines


def _brief(value: Any) -> str:
    if value is None:
        return "none"
    text = str(value)
    return f"{text[:8]}…" if len(text) == 64 else text[:40]


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
