"""The recipe keys that each stage reads. Only these reach the stage, so only these can make its output stale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.recipe.evaluate import EvaluateSection
from schemas.recipe.generate import CODE_SOURCES, GenerateSection
from schemas.recipe.model import LossSettings, ModelSettings
from schemas.recipe.preprocess import FORMATS, PreprocessSettings
from schemas.recipe.recipe import (
    BeamSection,
    ExportSection,
    Recipe,
    TrainSection,
    TuneSection,
)
from schemas.recipe.search import TRIAL_TRAIN_KEYS
from schemas.recipe.sources import Source

FORMATS_BEFORE_AVIF = ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]
TRAIN_FOLDERS = ("start_from",)  # settings of `train` that name a folder
EVALUATE_FILES = ("feature_model", "inception")  # settings of `evaluate` that name a file


class StageSettings:
    """The settings of one stage, selected from a recipe: field i holds the value of ``KEYS[i]``.

    Keys in ``RUNTIME`` change how a stage runs, and not what it makes; they do not count for staleness.
    """

    KEYS: ClassVar[tuple[str, ...]]
    RUNTIME: ClassVar[tuple[str, ...]] = ("beam",)

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Select this stage's settings from a recipe."""
        return cls(*(_lookup(recipe, key) for key in cls.KEYS))

    @classmethod
    def reads(cls, key: str) -> bool:
        """Return whether this stage reads a recipe key, such as `train.epochs`."""
        return any(key == read or key.startswith(f"{read}.") for read in cls.KEYS)

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
        """Return the settings that decide the stage's output, as JSON data by recipe key.

        Paths are left out, because the content of the files counts, not their place.
        """
        content: dict[str, Any] = {}
        for key, field in zip(self.KEYS, fields(self), strict=True):  # type: ignore[arg-type]
            if key not in self.RUNTIME:
                content[key] = _to_json(getattr(self, field.name))
        return content

    @classmethod
    def updated(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an older version wrote as `content`, with the defaults of settings that did not exist then.

        So a new setting makes nothing stale until it is used. What this version cannot read is returned as it is.
        """
        data = {
            field.name: content.get(key, {} if key in cls.RUNTIME else None)
            for key, field in zip(cls.KEYS, fields(cls), strict=True)  # type: ignore[arg-type]
            if key in content or field.default is MISSING
        }
        try:
            return cls.from_json(data).content()
        except ValidationError:
            return dict(content)


def _lookup(recipe: Any, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude={"path"})
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


@dataclass(frozen=True)
class IngestSettings(StageSettings):
    """The settings of ingest."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "sources", "preprocess", "beam")
    seed: int
    sources: tuple[Source, ...]
    preprocess: PreprocessSettings
    beam: BeamSection

    @classmethod
    def updated(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an older version wrote; its list of all formats, before AVIF and HEIF were read, meant all."""
        preprocess = content.get("preprocess")
        if isinstance(preprocess, dict) and preprocess.get("formats") == FORMATS_BEFORE_AVIF:
            content = {**content, "preprocess": {**preprocess, "formats": list(FORMATS)}}
        return super().updated(content)


@dataclass(frozen=True)
class TuneSettings(StageSettings):
    """The settings of tune."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "model", "loss", "tune", "train")
    seed: int
    model: ModelSettings
    loss: LossSettings
    tune: TuneSection
    train: TrainSection

    @classmethod
    def reads(cls, key: str) -> bool:
        """Return whether the search reads a recipe key: of `train`, only what trials read."""
        return key in TRIAL_TRAIN_KEYS if key.startswith("train.") else super().reads(key)

    def content(self) -> dict[str, Any]:
        """Return the settings that decide the search: without searched keys, keys that no trial reads, and `tune.workers`."""
        content = super().content()
        read = set(TRIAL_TRAIN_KEYS) - set(self.tune.space)
        content["train"] = {key: value for key, value in content["train"].items() if f"train.{key}" in read}
        del content["tune"]["workers"]
        return content


@dataclass(frozen=True)
class TrainSettings(StageSettings):
    """The settings of train."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "model", "loss", "train")
    seed: int
    model: ModelSettings
    loss: LossSettings
    train: TrainSection

    def content(self) -> dict[str, Any]:
        """Return the settings that decide the model, without the path of another model, because its content counts."""
        content = super().content()
        content["train"] |= {name: None if getattr(self.train, name) is None else "given" for name in TRAIN_FOLDERS}
        return content


@dataclass(frozen=True)
class EvaluateSettings(StageSettings):
    """The settings of evaluate."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "title", "seed", "evaluate", "train.use_tuned")
    RUNTIME: ClassVar[tuple[str, ...]] = ("train.use_tuned",)  # decides whether the search is an input
    name: str
    title: str
    seed: int
    evaluate: EvaluateSection
    use_tuned: bool = True

    def content(self) -> dict[str, Any]:
        """Return the settings that decide the evaluation, without the paths of files, because their content counts."""
        content = super().content()
        content["evaluate"] |= {
            name: None if getattr(self.evaluate, name) is None else "given" for name in EVALUATE_FILES
        }
        return content


@dataclass(frozen=True)
class ExportSettings(StageSettings):
    """The settings of export."""

    KEYS: ClassVar[tuple[str, ...]] = ("seed", "export")
    seed: int
    export: ExportSection


@dataclass(frozen=True)
class GenerateSettings(StageSettings):
    """The settings of generate."""

    KEYS: ClassVar[tuple[str, ...]] = ("generate", "beam")
    generate: GenerateSection
    beam: BeamSection

    def content(self) -> dict[str, Any]:
        """Return the settings that decide the images.

        Paths of codes are left out, because their content counts, and so is a number of images that labels replace.
        """
        content = super().content()
        if isinstance(self.generate.labels, dict):
            del content["generate"]["count"]
        content["generate"] |= {
            kind: None if getattr(self.generate, kind) is None else "given" for kind in CODE_SOURCES
        }
        return content


S = TypeVar("S", TrainSettings, TuneSettings)
_SECTIONS: dict[str, TypeAdapter[Any]] = {
    "model": TypeAdapter(ModelSettings),
    "loss": TypeAdapter(LossSettings),
    "train": TypeAdapter(TrainSection),
}


def with_values(settings: S, values: Mapping[str, Any]) -> S:
    """Return settings with other values for some recipe keys, validated like a recipe.

    Args:
        settings: The settings of a training or a trial.
        values: The new values, by recipe key, such as `{"model.latent_dim": 8}`.

    Raises:
        ValidationError: There is no such key, or its value is not valid.
    """
    changed = {}
    for name, adapter in _SECTIONS.items():
        nested = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
        if nested:
            changed[name] = adapter.validate_python({**getattr(settings, name).model_dump(), **nested})
    return replace(settings, **changed)


def value_at(settings: StageSettings, key: str) -> Any:
    """Return the value of a recipe key, such as `model.latent_dim`."""
    return _lookup(settings, key)


def by_key(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by recipe key, such as `model.latent_dim`."""
    values: dict[str, Any] = {}
    for name, value in settings.items():
        values |= by_key(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return values
