"""The model that a training starts from: which one it is, and whether this recipe may and can take its weights.

All here is known from manifests, before anything is trained and without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.artifacts.kinds import Generator, Model
from schemas.errors import DataError, UsageError
from schemas.paths import found_at, user_path
from schemas.recipe.licence import forbids_derivatives
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.settings import TrainSettings

KEY = "train.start_from"
FRAME = ("height", "width", "channels", "normalise")  # of `preprocess`: what the networks take
# Keys of `model` that say nothing of weights' shapes, or whose weights can begin anew.
_FREE = ("conditional", "prior_components", "zero_log_variance", "log_variance_limit")


def other_model(start_from: str) -> Model:
    """Return the model in a run's folder or in its own.

    Raises:
        UsageError: There is none.
    """
    path = user_path(start_from)
    model = next((found for found in (Model(path), Model(path / "model")) if found.exists), None)
    if model is None:
        what = found_at(path) if not path.is_dir() else "a folder without one"
        raise UsageError(f"{KEY}: expected the folder of a run or of its model, found {what}: {path}")
    try:
        _ = model.manifest
    except DataError as error:
        raise UsageError(f"{KEY}: {error}") from None
    return model


def expect_whole(model: Model, *, thorough: bool) -> None:
    """Refuse a model whose files are not those of its manifest; `thorough`: every byte of them.

    Raises:
        UsageError: It is broken.
    """
    if lines := model.damage(thorough=thorough):
        raise UsageError(f"{KEY}: expected a whole model, found a broken one: {lines[0]}")


def licence_of(model: Model) -> str | None:
    """Return a model's licence: of its recipe, or of the generator beside it that was exported later."""
    licences = [model.manifest.recipe]
    generator = Generator(model.path.parent / "generator")
    try:
        if generator.exists and generator.manifest.inputs.get(Model.TYPE) == model.digest:
            licences.insert(0, generator.manifest.settings)
    except DataError:
        pass  # it is not this model's matter
    values = [(each.get("export") or {}).get("licence") for each in licences]
    return next((value for value in values if value), None)


def expect_licence(model: Model) -> None:
    """Refuse a model whose licence forbids derivatives, as every model that starts from it is one.

    Raises:
        UsageError: Its licence field says so.
    """
    licence = licence_of(model)
    if licence and forbids_derivatives(licence):
        raise UsageError(
            f"{KEY}: expected a model whose licence allows derivatives, found {licence} (export.licence) of {model.path}"
        )


def expect_kind(model: Model, settings: TrainSettings, *, frame: Mapping[str, Any]) -> None:
    """Refuse a model of another kind of network, loss or images.

    Args:
        model: The other model.
        settings: The settings of the training.
        frame: Value of each key of `FRAME` of the images.

    Raises:
        UsageError: A key that must be the same is not; the message names it.
    """
    manifest = model.manifest
    theirs: dict[str, Any] = {
        **_keys("model", manifest.settings.get("model"), only=None),
        **_keys("loss", manifest.settings.get("loss"), only=("likelihood", "components")),
        **_keys("preprocess", manifest.recipe.get("preprocess"), only=FRAME),
    }
    ours: dict[str, Any] = {
        **_keys("model", settings.model.model_dump(mode="json"), only=None),
        **_keys("loss", settings.loss.model_dump(mode="json"), only=("likelihood", "components")),
        **_keys("preprocess", frame, only=FRAME),
    }
    family = "model.network"
    if theirs.get(family) == ours[family] and "HyperParameters" in manifest.inputs:
        theirs = {
            key: value for key, value in theirs.items() if not key.startswith("model.")
        }  # a search set some of them
    for key in sorted(theirs.keys() & ours.keys(), key=lambda key: key != family):
        if theirs[key] != ours[key]:
            raise UsageError(f"{key}: expected {theirs[key]}, as in the model of {KEY}, found {ours[key]}")


def expect_start(settings: TrainSettings, preprocess: PreprocessSettings, *, own: Path) -> None:
    """Check the model that a training starts from, before the stages that come first.

    What a search may still change is checked when training begins.

    Args:
        settings: The settings of the training.
        preprocess: The recipe's.
        own: The folder of the model that the training makes.

    Raises:
        UsageError: There is no such model, it is broken or this recipe's own, or it does not fit.
    """
    if settings.train.start_from is None:
        return
    model = other_model(settings.train.start_from)
    if model.path.resolve() == own.resolve():
        raise UsageError(f"{KEY}: expected another recipe's model, found this one's own: {model.path}; copy it first")
    expect_whole(model, thorough=False)
    expect_licence(model)
    expect_kind(model, settings, frame=preprocess.model_dump(mode="json"))


def _keys(section: str, values: Mapping[str, Any] | None, *, only: tuple[str, ...] | None) -> dict[str, Any]:
    """Return settings by recipe key, without those that need not agree."""
    return {
        f"{section}.{key}": value
        for key, value in (values or {}).items()
        if (key in only if only is not None else key not in _FREE)
    }
