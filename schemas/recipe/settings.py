"""What each stage reads of a recipe. Only these keys reach a stage, so only these can make its output stale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, TypeAdapter

from schemas.recipe.generate import CODE_SOURCES, GenerateSection
from schemas.recipe.model import LossSettings, ModelSettings
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.recipe import (
    BeamSection,
    EvaluateSection,
    ExportSection,
    Recipe,
    TrainSection,
    TuneSection,
)
from schemas.recipe.search import READ_OF_TRAIN
from schemas.recipe.sources import Source


class StageSettings:
    """A selection of a recipe's keys: field i holds the value of ``KEYS[i]``.

    Keys in ``RUNTIME`` say how a stage runs and not what it makes; they do not count for staleness.
    """

    KEYS: ClassVar[tuple[str, ...]]
    RUNTIME: ClassVar[tuple[str, ...]] = ("beam",)

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Selects this stage's settings from a recipe."""
        return cls(*(_lookup(recipe, key) for key in cls.KEYS))

    def to_json(self) -> dict[str, Any]:
        """Return these settings as JSON data, for a process that works with them."""
        data: dict[str, Any] = TypeAdapter(type(self)).dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the settings that `to_json` wrote. The process that wrote them validated their recipe."""
        settings: Self = TypeAdapter(cls).validate_python(data)
        return settings

    def content(self) -> dict[str, Any]:
        """What decides the stage's output, as JSON data, keyed by recipe key. Paths are left out: content counts."""
        found: dict[str, Any] = {}
        for key, field in zip(self.KEYS, fields(self), strict=True):  # type: ignore[arg-type]
            if key not in self.RUNTIME:
                found[key] = _plain(getattr(self, field.name))
        return found


def _lookup(recipe: Any, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude={"path"})
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class IngestSettings(StageSettings):
    """What ingest reads."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "sources", "preprocess", "beam")
    seed: int
    sources: tuple[Source, ...]
    preprocess: PreprocessSettings
    beam: BeamSection


@dataclass(frozen=True)
class TuneSettings(StageSettings):
    """What tune reads."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "model", "loss", "tune", "train")
    seed: int
    model: ModelSettings
    loss: LossSettings
    tune: TuneSection
    train: TrainSection

    def content(self) -> dict[str, Any]:
        """As of every stage, without what no trial reads, what the search sets itself, and the number of processes."""
        found = super().content()
        read = set(READ_OF_TRAIN) - set(self.tune.space)
        found["train"] = {key: value for key, value in found["train"].items() if f"train.{key}" in read}
        del found["tune"]["workers"]
        return found


@dataclass(frozen=True)
class TrainSettings(StageSettings):
    """What train reads."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "model", "loss", "train")
    seed: int
    model: ModelSettings
    loss: LossSettings
    train: TrainSection


@dataclass(frozen=True)
class EvaluateSettings(StageSettings):
    """What evaluate reads."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "title", "seed", "evaluate", "train.use_tuned")
    RUNTIME: ClassVar[tuple[str, ...]] = ("train.use_tuned",)  # what it decides, whether a search is read, is an input
    name: str
    title: str
    seed: int
    evaluate: EvaluateSection
    use_tuned: bool = True


@dataclass(frozen=True)
class ExportSettings(StageSettings):
    """What export reads."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "export")
    seed: int
    export: ExportSection


@dataclass(frozen=True)
class GenerateSettings(StageSettings):
    """What generate reads."""

    KEYS: ClassVar[tuple[str, ...]] = ("generate", "beam")
    generate: GenerateSection
    beam: BeamSection

    def content(self) -> dict[str, Any]:
        """As of every stage, without paths of given codes, whose content counts."""
        found = super().content()
        found["generate"] |= {kind: None if getattr(self.generate, kind) is None else "given" for kind in CODE_SOURCES}
        return found


S = TypeVar("S", TrainSettings, TuneSettings)
_SECTIONS: dict[str, TypeAdapter[Any]] = {
    "model": TypeAdapter(ModelSettings),
    "loss": TypeAdapter(LossSettings),
    "train": TypeAdapter(TrainSection),
}


def with_values(settings: S, values: Mapping[str, Any]) -> S:
    """Settings with other values under some recipe keys, held to what the recipe holds them to.

    Args:
        settings: What a training or a trial reads.
        values: By recipe key, such as `{"model.latent_dim": 8}`.

    Raises:
        ValidationError: There is no such key, or the recipe refuses its value.
    """
    changed = {}
    for name, adapter in _SECTIONS.items():
        below = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
        if below:
            changed[name] = adapter.validate_python({**getattr(settings, name).model_dump(), **below})
    return replace(settings, **changed)


def value_at(settings: StageSettings, key: str) -> Any:
    """What settings say under a recipe key below one of their own sections."""
    return _lookup(settings, key)
