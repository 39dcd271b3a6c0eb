"""What each stage reads of a recipe. Only these keys reach a stage, so only these can make its output stale."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from schemas.preprocess import PreprocessSettings
from schemas.recipe import (
    BeamSection,
    EvaluateSection,
    ExportSection,
    GenerateSection,
    LossSettings,
    ModelSettings,
    Recipe,
    TrainSection,
    TuneSection,
)
from schemas.sources import Source


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

    def content(self) -> dict[str, Any]:
        """What decides the stage's output, as JSON data, keyed by recipe key. Paths are left out: content counts."""
        found: dict[str, Any] = {}
        for key, field in zip(self.KEYS, fields(self), strict=True):  # type: ignore[arg-type]
            if key not in self.RUNTIME:
                found[key] = _plain(getattr(self, field.name))
        return found


def _lookup(recipe: Recipe, key: str) -> Any:
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

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "model", "loss", "tune", "train.batch_size", "train.deterministic")
    seed: int
    model: ModelSettings
    loss: LossSettings
    tune: TuneSection
    batch_size: int
    deterministic: bool


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

    KEYS: ClassVar[tuple[str, ...]] = ("name", "title", "seed", "evaluate")
    name: str
    title: str
    seed: int
    evaluate: EvaluateSection


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
