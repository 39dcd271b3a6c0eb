"""Finds, checks and reads the runs that are compared."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.artifacts.kinds import Examples, Generator, HyperParameters, Model, ModelEvaluation
from schemas.artifacts.manifest import Manifest
from schemas.errors import DataError, UsageError
from schemas.paths import user_path

_LEFT_OUT = ("name", "title", "data")  # of a recipe: what the page's head says, and where public data can be had
_SHAPE = ("height", "width", "channels", "store")  # of an image in a shard, whose bytes do not say


@dataclass(frozen=True)
class Run:
    """A run that has an evaluation.

    Attributes:
        name: Title of its column.
        path: Its folder.
        evaluation: Manifest of the evaluation, which holds the recipe.
        metrics: Content of ``metrics.json``.
        settings: By recipe key, as text; where a search chose a value, that value.
        test: Digest of the test images: equal for the same images, pixel for pixel.
        examples: The Examples that it was evaluated on, where they still exist.
        generator: Of the model that was evaluated, where there is one.
        no_generator: Why there is none, as a clause; "": there is one.
    """

    name: str
    path: Path
    evaluation: Manifest
    metrics: dict[str, Any]
    settings: dict[str, str]
    test: str
    examples: Examples | None
    generator: Generator | None
    no_generator: str

    @property
    def title(self) -> str:
        """The recipe's title."""
        return str(self.evaluation.recipe.get("title") or self.name)

    def setting(self, key: str) -> str:
        """Return a setting as text; "" where the recipe does not have it."""
        return self.settings.get(key, "")


def read_runs(names: Sequence[str], *, runs: Path) -> list[Run]:
    """Find and read runs.

    Args:
        names: Names of folders below `runs`; a name with a slash is the path of a run's folder.
        runs: Folder of all runs.

    Raises:
        UsageError: There are fewer than two names, a run does not exist, or a run is named twice.
        DataError: A run has no evaluation, or an artifact is not what its manifest says.
    """
    if len(names) < 2:
        count = f"{names[0]} alone" if names else "none"
        raise UsageError(f'compare: expected two runs or more, found {count}; set RUNS="a b"')
    paths = [_folder(name, runs=runs) for name in names]
    first_name: dict[Path, str] = {}
    for name, path in zip(names, paths, strict=True):
        if path.resolve() in first_name:
            raise UsageError(
                f"{name}: expected runs that differ, found the same one twice ({first_name[path.resolve()]})"
            )
        first_name[path.resolve()] = name
    folder_names = [path.resolve().name for path in paths]
    titles = [
        name if folder_names.count(name) == 1 else str(path) for name, path in zip(folder_names, paths, strict=True)
    ]
    read = [_read(path, name=title) for title, path in zip(titles, paths, strict=True)]
    # Where one run's Examples are gone, another's of the same digest say which test images those were.
    test_of = {run.evaluation.inputs[Examples.TYPE]: run.test for run in read if run.test}
    digests = [run.evaluation.inputs[Examples.TYPE] for run in read]
    return [replace(run, test=test_of.get(digest, digest)) for run, digest in zip(read, digests, strict=True)]


def _folder(name: str, *, runs: Path) -> Path:
    path = user_path(name) if "/" in name or name in (".", "..") else runs / name
    if not name:
        raise UsageError("RUNS: expected names of runs, found an empty one")
    if path.is_dir():
        return path
    if path.exists():
        raise UsageError(f"{path}: expected the folder of a run, found a file")
    other_runs = sorted(folder.parent.name for folder in path.parent.glob("*/evaluation"))
    close = difflib.get_close_matches(path.name, other_runs, n=1)
    hint = (
        f"did you mean {close[0]}?"
        if close
        else f"there are {', '.join(other_runs[:12])}"
        if other_runs
        else "there are none"
    )
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
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            f"{evaluation.metrics_path}: expected the metrics of a model, found something else; "
            f"to make it again, remove {evaluation.path}"
        ) from None
    examples = Examples(path / "examples")
    unchanged = examples.exists and examples.digest == manifest.inputs[Examples.TYPE]
    if unchanged:
        examples.check(thorough=False)
    generator, no_generator = _generator(path, model=manifest.inputs[Model.TYPE])
    return Run(
        name=name,
        path=path,
        evaluation=manifest,
        metrics=metrics,
        settings=_settings(path, manifest),
        test=_test_images(examples) if unchanged else "",
        examples=examples if unchanged else None,
        generator=generator,
        no_generator=no_generator,
    )


def _generator(path: Path, *, model: str) -> tuple[Generator | None, str]:
    """Return a run's generator of the model with this digest; or None, and why."""
    generator, command = Generator(path / "generator"), f"run make export RECIPE={path.resolve().name}"
    if not generator.exists:
        return None, f"it has no generator; {command}"
    generator.check(thorough=True)
    if generator.manifest.inputs.get(Model.TYPE) != model:
        return None, f"its generator is of another model than its evaluation; {command}"
    return generator, ""


def _test_images(examples: Examples) -> str:
    """Return the sha256 of a test split, of its shards and of their images' shape; "" where there is no such split."""
    manifest = examples.manifest
    shards = {name: entry.sha256 for name, entry in manifest.files.items() if name.startswith("Split-test/")}
    if not shards:
        return ""
    shape = [manifest.settings.get("preprocess", {}).get(key) for key in _SHAPE]
    return hashlib.sha256(json.dumps([shape, sorted(shards.items())]).encode()).hexdigest()


def _settings(path: Path, evaluation: Manifest) -> dict[str, str]:
    """Return a recipe's settings, with what a search chose in place of some."""
    settings = dict(_flat({key: value for key, value in evaluation.recipe.items() if key not in _LEFT_OUT}))
    model = Model(path / "model")
    if not model.exists or model.digest != evaluation.inputs[Model.TYPE]:
        return settings
    search = model.manifest.inputs.get(HyperParameters.TYPE)
    tuned = HyperParameters(path / "hyperparameters")
    if search is not None and tuned.exists and tuned.digest == search:
        tuned.check(thorough=True)
        best = json.loads(tuned.best_path.read_bytes())
        settings |= {key: f"{_text(value)} (tuned)" for key, value in best.items()}
    elif search is not None:
        settings["train.use_tuned"] = f"true (by a search that is gone, {search[:12]}…)"
    return settings


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield keys with dots, and values as text."""
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
