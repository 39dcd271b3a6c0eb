"""Runs that are set side by side: found, checked, read."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.artifacts.kinds import Examples, Generator, HyperParameters, Model, ModelEvaluation
from schemas.artifacts.manifest import Artifact, Manifest
from schemas.errors import DataError, UsageError

# Of a recipe: what stands at the head anyway, and where its public data can be had, which says nothing of the run.
_LEFT_OUT = ("name", "title", "data")
_SHAPE = ("height", "width", "channels", "store")  # of an image in a shard, whose bytes do not say


@dataclass(frozen=True)
class Run:
    """A run that has an evaluation.

    Attributes:
        name: What stands over its column.
        path: Its folder.
        evaluation: Manifest of the evaluation, and with it the recipe.
        metrics: What ``metrics.json`` holds.
        settings: By recipe key, as text; where a search chose a value, that one.
        test: The same for the same test images, pixel for pixel.
        examples: Those that it was evaluated on, where they are still there.
        generator: Of the model that was evaluated, where there is one.
        no_pictures: Why there is none, as a clause; "": there is one.
    """

    name: str
    path: Path
    evaluation: Manifest
    metrics: dict[str, Any]
    settings: dict[str, str]
    test: str
    examples: Examples | None
    generator: Generator | None
    no_pictures: str

    @property
    def title(self) -> str:
        """The recipe's title."""
        return str(self.evaluation.recipe.get("title") or self.name)

    def setting(self, key: str) -> str:
        """A setting as text; "" where its recipe does not have it."""
        return self.settings.get(key, "")


def read_runs(names: Sequence[str], *, runs: Path) -> list[Run]:
    """Finds and reads runs.

    Args:
        names: Of folders below `runs`; what has a slash is the path of a run's folder.
        runs: Folder of all runs.

    Raises:
        UsageError: There are fewer than two, or there is no such run, or one is named twice.
        DataError: One has no evaluation, or an artifact is not what its manifest says.
    """
    if len(names) < 2:
        found = f"{names[0]} alone" if names else "none"
        raise UsageError(f'compare: expected two runs or more, found {found}; set RUNS="a b"')
    paths = [_folder(name, runs=runs) for name in names]
    seen: dict[Path, str] = {}
    for name, path in zip(names, paths, strict=True):
        if path.resolve() in seen:
            raise UsageError(f"{name}: expected runs that differ, found the same one twice ({seen[path.resolve()]})")
        seen[path.resolve()] = name
    called = [path.resolve().name for path in paths]
    heads = [head if called.count(head) == 1 else str(path) for head, path in zip(called, paths, strict=True)]
    read = [_read(path, name=head) for head, path in zip(heads, paths, strict=True)]
    # Where one run's Examples are gone, another's of the same digest say which images those were.
    known = {run.evaluation.inputs[Examples.TYPE]: run.test for run in read if run.test}
    return [
        replace(run, test=known.get(digest, digest))
        for run, digest in ((run, run.evaluation.inputs[Examples.TYPE]) for run in read)
    ]


def _folder(name: str, *, runs: Path) -> Path:
    path = Path(name).expanduser() if "/" in name or name in (".", "..") else runs / name
    if path.is_dir():
        return path
    if path.exists():
        raise UsageError(f"{path}: expected the folder of a run, found a file")
    there = sorted(folder.parent.name for folder in path.parent.glob("*/evaluation"))
    close = difflib.get_close_matches(path.name, there, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(there[:12])}" if there else "there are none"
    raise UsageError(f"{name}: expected a run with an evaluation, found no folder {path}; {hint}")


def _read(path: Path, *, name: str) -> Run:
    evaluation = ModelEvaluation(path / "evaluation")
    if not evaluation.exists:
        raise DataError(
            f"{evaluation.path}: expected a ModelEvaluation, found none; run make evaluate RECIPE={path.resolve().name}"
        )
    evaluation.check(thorough=True)
    manifest = evaluation.manifest
    try:
        metrics = json.loads(evaluation.metrics_path.read_bytes())
        _ = metrics["metrics"], metrics["images"], manifest.inputs[Examples.TYPE], manifest.inputs[Model.TYPE]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{evaluation.metrics_path}: expected the metrics of a model, found something else; "
            f"to make it again, remove {evaluation.path}"
        ) from None
    examples = Examples(path / "examples")
    same = examples.exists and examples.digest == manifest.inputs[Examples.TYPE]
    if same:
        examples.check(thorough=False)
    generator, why = _generator(path, evaluated=manifest.inputs[Model.TYPE])
    return Run(
        name=name,
        path=path,
        evaluation=manifest,
        metrics=metrics,
        settings=_settings(path, manifest),
        test=_test_images(examples) if same else "",
        examples=examples if same else None,
        generator=generator,
        no_pictures=why,
    )


def _generator(path: Path, *, evaluated: str) -> tuple[Generator | None, str]:
    """A run's generator; or None, and why."""
    generator, again = Generator(path / "generator"), f"run make export RECIPE={path.resolve().name}"
    if not generator.exists:
        return None, f"it has no generator; {again}"
    generator.check(thorough=True)
    if generator.manifest.inputs.get(Model.TYPE) != evaluated:
        return None, f"its generator is of another model than its evaluation; {again}"
    return generator, ""


def _test_images(examples: Examples) -> str:
    """Sha256 of a test split: of its shards, and of what their bytes leave open; "" where it has none."""
    manifest = examples.manifest
    shards = {name: entry.sha256 for name, entry in manifest.files.items() if name.startswith("Split-test/")}
    if not shards:
        return ""
    shape = [manifest.settings.get("preprocess", {}).get(key) for key in _SHAPE]
    return hashlib.sha256(json.dumps([shape, sorted(shards.items())]).encode()).hexdigest()


def _settings(path: Path, evaluation: Manifest) -> dict[str, str]:
    """A recipe's settings, and in place of some what a search chose."""
    found = dict(_flat({key: value for key, value in evaluation.recipe.items() if key not in _LEFT_OUT}))
    model: Artifact = Model(path / "model")
    if model.exists and model.digest == evaluation.inputs[Model.TYPE]:
        wanted = model.manifest.inputs.get(HyperParameters.TYPE)
        tuned = HyperParameters(path / "hyperparameters")
        if wanted is not None and tuned.exists and tuned.digest == wanted:
            tuned.check(thorough=True)
            found |= {key: f"{_text(value)} (tuned)" for key, value in json.loads(tuned.best_path.read_bytes()).items()}
        elif wanted is not None:
            found["train.use_tuned"] = f"true (by a search that is gone, {wanted[:12]}…)"
    return found


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys with dots, and values as text."""
    items: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        items = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    if not items:
        yield key, _text(value)
    for name, item in items:
        yield from _flat(item, f"{key}.{name}" if key else name)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
