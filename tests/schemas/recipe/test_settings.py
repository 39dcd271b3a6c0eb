"""A stage gets only the keys that it declares, and only these can make its output stale."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import (
    EvaluateSettings,
    ExportSettings,
    GenerateSettings,
    IngestSettings,
    StageSettings,
    TrainSettings,
    TuneSettings,
    value_at,
    with_values,
)

MakeRecipe = Callable[..., Recipe]
STAGES: list[type[StageSettings]] = [
    IngestSettings,
    TuneSettings,
    TrainSettings,
    EvaluateSettings,
    ExportSettings,
    GenerateSettings,
]
each_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)


def value_of(recipe: Recipe, key: str) -> Any:
    """Return the value of a dotted key in a recipe."""
    value: Any = recipe
    for part in key.split("."):
        assert part in type(value).model_fields, f"{key}: {type(value).__name__} has no setting {part}"
        value = getattr(value, part)
    return value


@each_stage
def test_every_key_is_in_the_recipe_and_has_a_field(make_recipe: MakeRecipe, stage: type[StageSettings]) -> None:
    recipe = make_recipe()
    names = [field.name for field in fields(stage)]  # type: ignore[arg-type]
    assert names == [key.rpartition(".")[2] for key in stage.KEYS]
    assert len(set(stage.KEYS)) == len(stage.KEYS)
    for key in stage.KEYS:
        value_of(recipe, key)


@each_stage
def test_a_stage_selects_the_values_of_its_keys(make_recipe: MakeRecipe, stage: type[StageSettings]) -> None:
    recipe = make_recipe({"seed": 7, "title": "Photos", "train.batch_size": 9, "model.latent_dim": 5})
    selected = stage.of(recipe)
    for key in stage.KEYS:
        assert getattr(selected, key.rpartition(".")[2]) == value_of(recipe, key)


@each_stage
def test_another_process_reads_the_settings_that_were_handed_to_it(
    make_recipe: MakeRecipe, stage: type[StageSettings]
) -> None:
    selected = stage.of(make_recipe({"seed": 7, "title": "Photos", "tune.space": {"model.latent_dim": [2, 4]}}))
    read = stage.from_json(json.loads(json.dumps(selected.to_json())))
    assert read == selected
    assert read.content() == selected.content()


@each_stage
def test_a_stages_settings_cannot_be_changed(make_recipe: MakeRecipe, stage: type[StageSettings]) -> None:
    selected = stage.of(make_recipe())
    with pytest.raises(FrozenInstanceError):
        setattr(selected, fields(selected)[0].name, None)  # type: ignore[arg-type]


@each_stage
def test_the_content_is_plain_json_keyed_by_recipe_key(make_recipe: MakeRecipe, stage: type[StageSettings]) -> None:
    content = stage.of(make_recipe()).content()
    ignored = {"beam", "train.use_tuned"} if stage is EvaluateSettings else {"beam"}
    assert set(content) == set(stage.KEYS) - ignored
    assert json.loads(json.dumps(content)) == content


def test_the_paths_of_sources_are_not_in_the_content(make_recipe: MakeRecipe) -> None:
    sources = [{"kind": "folder", "path": "/here"}, {"kind": "idx", "path": "/there"}, {"kind": "digits"}]
    content = IngestSettings.of(make_recipe({"sources": sources})).content()
    assert content["sources"] == [
        {"kind": "folder", "label": "none", "table": None, "validation": [], "test": []},
        {"kind": "idx"},
        {"kind": "digits"},
    ]


def test_settings_that_an_older_version_did_not_have_count_as_their_defaults(make_recipe: MakeRecipe) -> None:
    settings = IngestSettings.of(make_recipe({"sources": [{"kind": "folder", "label": "last_folder"}]}))
    older = settings.content()
    older["sources"] = [{"kind": "folder", "label": "last_folder", "test": []}]
    older["preprocess"] = {
        **{key: value for key, value in older["preprocess"].items() if key != "duplicates"},
        "formats": ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"],
    }
    assert IngestSettings.updated(older) == settings.content()
    assert IngestSettings.updated({**older, "seed": 5}) != settings.content()


def test_settings_that_this_version_cannot_read_are_left_as_they_are() -> None:
    unknown = {"seed": 0, "sources": [{"kind": "floppy"}], "preprocess": {}}
    assert IngestSettings.updated(unknown) == unknown


@pytest.mark.parametrize(
    ("key", "value", "stale"),
    [
        ("name", "album", {EvaluateSettings}),
        ("title", "An album", {EvaluateSettings}),
        ("seed", 1, {IngestSettings, TuneSettings, TrainSettings, EvaluateSettings, ExportSettings}),
        ("sources.0.path", "/elsewhere", set()),
        ("sources.0.label", "first_folder", {IngestSettings}),
        ("preprocess.height", 32, {IngestSettings}),
        ("preprocess.split_salt", "pepper", {IngestSettings}),
        ("model.latent_dim", 3, {TuneSettings, TrainSettings}),
        ("loss.weight", 10.0, {TuneSettings, TrainSettings}),
        ("model.log_variance_limit", [-5.0, 5.0], {TuneSettings, TrainSettings}),
        ("model.conditional", True, {TuneSettings, TrainSettings}),
        ("loss.free_bits", 0.5, {TuneSettings, TrainSettings}),
        ("train.epochs", 11, {TrainSettings}),
        ("train.ema", 0.99, {TrainSettings}),
        ("train.sharpen", {"epochs": 2}, {TrainSettings}),
        ("train.clip_norm", 1.0, {TuneSettings, TrainSettings}),
        ("train.learning_rate", 0.5, {TrainSettings}),
        ("train.batch_size", 64, {TuneSettings, TrainSettings}),
        ("train.deterministic", True, {TuneSettings, TrainSettings}),
        ("train.patience", 3, {TrainSettings}),
        ("train.use_tuned", False, {TrainSettings}),
        ("tune.max_trials", 3, {TuneSettings}),
        ("tune.workers", 3, set()),
        ("evaluate.scatter_images", 10, {EvaluateSettings}),
        ("export.tolerance", 0.1, {ExportSettings}),
        ("generate.count", 3, {GenerateSettings}),
        ("generate.temperature", 0.5, {GenerateSettings}),
        ("beam.workers", 2, set()),
        ("beam.options", ["--runner=FlinkRunner"], set()),
    ],
)
def test_a_changed_key_changes_the_content_only_of_the_stages_that_read_it(
    make_recipe: MakeRecipe, key: str, value: Any, stale: set[type[StageSettings]]
) -> None:
    before, after = make_recipe(), make_recipe({key: value})
    changed = {stage for stage in STAGES if stage.of(before).content() != stage.of(after).content()}
    assert changed == stale


def test_a_number_of_images_counts_only_if_labels_do_not_replace_it(make_recipe: MakeRecipe) -> None:
    labels = {"model.conditional": True, "generate.labels": {"cat": 50, "dog": 25}}
    before, after = (GenerateSettings.of(make_recipe(labels | {"generate.count": count})) for count in (1000, 20))
    assert before.content() == after.content()
    older = before.content()
    older["generate"]["count"] = 1000
    assert GenerateSettings.updated(older) == after.content()


def test_the_learning_rate_counts_for_a_search_that_does_not_search_it(make_recipe: MakeRecipe) -> None:
    space = {"tune.space": {"model.latent_dim": [2, 3]}}
    before, after = make_recipe(space), make_recipe({**space, "train.learning_rate": 0.5})
    assert TuneSettings.of(before).content() != TuneSettings.of(after).content()


@pytest.mark.parametrize("stage", [TrainSettings, TuneSettings])
def test_with_values_replaces_these_values_and_nothing_else(
    make_recipe: MakeRecipe, stage: type[TrainSettings | TuneSettings]
) -> None:
    settings = stage.of(make_recipe())
    values = {"model.latent_dim": 5, "train.batch_size": 7, "loss.weight": 3}
    changed = with_values(settings, values)
    assert {key: value_at(changed, key) for key in values} == values
    assert with_values(changed, {key: value_at(settings, key) for key in values}) == settings


@pytest.mark.parametrize("values", [{"model.latent_dim": 0}, {"model.latentdim": 3}, {"train.batch_size": "many"}])
def test_with_values_refuses_invalid_values(make_recipe: MakeRecipe, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        with_values(TrainSettings.of(make_recipe()), values)
