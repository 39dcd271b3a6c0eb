"""A recipe is validated before any work starts: its keys, their ranges, and their combinations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.recipe import evaluate, model, sources
from schemas.recipe import recipe as settings
from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, MseLoss
from schemas.recipe.recipe import Recipe
from schemas.recipe.section import Section
from schemas.recipe.sources import FolderSource, IdxSource

MakeRecipe = Callable[..., Recipe]


def sections() -> list[type[Section]]:
    """Return all classes of sections."""
    values = {**vars(settings), **vars(evaluate), **vars(model), **vars(sources)}.values()
    classes = [value for value in values if isinstance(value, type) and issubclass(value, Section)]
    return [section for section in classes if section is not Section]


def parts(value: Any) -> Iterator[BaseModel]:
    """Yield a recipe and all sections in it."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from parts(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from parts(item)


def test_the_smallest_recipe_gets_every_default(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    assert (recipe.preprocess.height, recipe.preprocess.width, recipe.preprocess.channels) == (28, 28, 1)
    assert (recipe.seed, recipe.train.epochs) == (0, 10)
    assert recipe.generate.folder == "1000-seed0-png"


def test_a_dumped_recipe_reads_back_equal(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(
        {"model.encoder": [[8, 2], [4, 1]], "tune.space": {"model.latent_dim": [3, 5]}, "beam.options": ["--runner=X"]}
    )
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("missing", ["name", "sources", "model", "loss"])
def test_a_key_without_default_is_required(make_recipe: MakeRecipe, missing: str) -> None:
    data = make_recipe().model_dump(mode="json")
    del data[missing]
    with pytest.raises(ValidationError, match=rf"(?m)^{missing}\n.*[Ff]ield required"):
        Recipe.model_validate(data)


@pytest.mark.parametrize(
    "key",
    [
        "epocs",
        "sources.0.epocs",
        *(f"{section}.epocs" for section in ("preprocess", "model", "loss", "train", "tune", "evaluate")),
        *(f"{section}.epocs" for section in ("export", "generate", "beam")),
    ],
)
def test_a_misspelt_key_is_an_error_that_names_it(make_recipe: MakeRecipe, key: str) -> None:
    with pytest.raises(ValidationError, match=r"(?s)epocs.*Extra inputs are not permitted"):
        make_recipe({key: 1})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", "Photos"),
        ("name", "../photos"),
        ("seed", -1),
        ("seed", 2**31),
        ("sources", []),
        ("preprocess.height", 3),
        ("preprocess.width", 1025),
        ("preprocess.channels", 2),
        ("preprocess.channels", 4),
        ("preprocess.crop", "random"),
        ("preprocess.crop_margin", 0),
        ("preprocess.crop_margin", 1.01),
        ("preprocess.crop_margin", math.nan),
        ("preprocess.crops_per_image", 0),
        ("preprocess.store", "float16"),
        ("preprocess.background", [0, 0, 256]),
        ("preprocess.background", [0, -1, 0]),
        ("preprocess.background", [0, 0]),
        ("preprocess.validation", 0),
        ("preprocess.validation", 0.5),
        ("preprocess.test", 0.5),
        ("preprocess.max_pixels", 0),
        ("preprocess.max_bytes", 0),
        ("preprocess.max_frames", 0),
        ("preprocess.formats", []),
        ("preprocess.formats", ["EPS"]),
        ("preprocess.animated", "last_frame"),
        ("preprocess.geometry", "zoom"),
        ("preprocess.max_rejected", 1.1),
        ("model.latent_dim", 0),
        ("model.latent_dim", 4097),
        ("model.latent_dim", 2.5),
        ("model.encoder", []),
        ("model.encoder", [[32, 5]]),
        ("model.decoder", [[0, 2]]),
        ("model.decoder", [[32, 2, 1]]),
        ("model.activation", "swish"),
        ("model.negative_slope", 1.5),
        ("model.log_variance_limit", [2.0, -2.0]),
        ("model.log_variance_limit", [-30.0]),
        ("loss.weight", 0),
        ("loss.weight", math.nan),
        ("loss.free_bits", -0.1),
        ("loss.kl_warmup_epochs", -1),
        ("train.epochs", 0),
        ("train.epochs", "many"),
        ("train.batch_size", 0),
        ("train.learning_rate", 0),
        ("train.learning_rate", math.inf),
        ("train.patience", 0),
        ("train.augment.shift", 0.6),
        ("train.augment.brightness", 1),
        ("train.optimizer", "sgd"),
        ("train.optimizer", "adamw"),  # without a weight decay
        ("train.weight_decay", 0.01),  # without adamw
        ("train.warmup_epochs", 1),  # without a schedule
        ("train.clip_norm", 0),
        ("train.ema", 1),
        ("tune.oracle", "grid"),
        ("tune.space", {}),
        ("tune.space", {"model.latent_dim": []}),
        ("tune.space", {"loss.likelihood": ["mse"]}),
        ("tune.space", {"train.learning_rate": {"low": 1e-2, "high": 1e-4}}),
        ("tune.max_minutes", 0),
        ("tune.workers", 0),
        ("evaluate.scatter_images", 0),
        ("export.tolerance", 0),
        ("generate.count", 0),
        ("generate.seed", 2**63),
        ("generate.format", "jpeg"),
        ("generate.shards", 0),
        ("generate.name", "../elsewhere"),
        ("generate.name", "a/b"),
        ("generate.name", ".hidden"),
        ("beam.workers", 0),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_its_section(make_recipe: MakeRecipe, key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        make_recipe({key: value})
    assert key.split(".")[0] in {error["loc"][0] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "fashion_bn-2"),
        ("seed", 2**31 - 1),
        ("preprocess.height", 4),
        ("preprocess.width", 1024),
        ("preprocess.crop_margin", 1),
        ("preprocess.max_rejected", 0),
        ("preprocess.background", [0, 255, 128]),
        ("model.negative_slope", 0),
        ("tune.space", {"train.learning_rate": [1e-3]}),
        ("generate.seed", 2**63 - 1),
        ("generate.name", "second_set-1.0"),
        ("sources.0.path", None),
    ],
)
def test_the_ends_of_a_range_are_accepted(make_recipe: MakeRecipe, key: str, value: Any) -> None:
    make_recipe({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loss.weight", math.inf),
        ("tune.space", {"loss.weight": {"low": 1, "high": math.inf}}),
        ("export.tolerance", math.inf),
    ],
)
def test_infinity_is_an_error(make_recipe: MakeRecipe, key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        make_recipe({key: value})


def test_the_kind_of_a_section_decides_which_keys_it_has(make_recipe: MakeRecipe) -> None:
    dense = make_recipe({"model": {"network": "dense", "hidden": [8]}, "loss": {"likelihood": "bernoulli"}})
    assert isinstance(dense.model, DenseModel)
    assert isinstance(dense.loss, BernoulliLoss)
    conv = make_recipe({"sources": [{"kind": "idx", "path": "/mnist"}, {"kind": "folder"}]})
    assert isinstance(conv.model, ConvModel)
    assert isinstance(conv.loss, MseLoss)
    assert [type(source) for source in conv.sources] == [IdxSource, FolderSource]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"network": "dense", "encoder": [[8, 2]]}},
        {"model": {"network": "dense", "hidden": [8], "batch_norm": "before"}},
        {"loss": {"likelihood": "bernoulli", "weight": 10.0}},
        {"sources": [{"kind": "idx", "label": "first_folder"}]},
        {"sources": [{"kind": "digits", "path": "/digits"}]},
    ],
)
def test_a_key_of_another_kind_is_an_error(make_recipe: MakeRecipe, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        make_recipe(changes)


def test_binary_images_are_not_to_be_sharpened(make_recipe: MakeRecipe) -> None:
    loss = {"likelihood": "bernoulli", "binarise": True}
    make_recipe({"loss": loss})
    with pytest.raises(ValidationError, match=r"train\.sharpen: expected null with loss\.binarise: true"):
        make_recipe({"loss": loss, "train.sharpen": {"epochs": 2}})


@pytest.mark.parametrize(
    ("changes", "choices"),
    [
        ({"model": {"network": "transformer"}}, ["dense", "conv"]),
        ({"loss": {"likelihood": "poisson"}}, ["bernoulli", "mse"]),
        ({"sources": [{"kind": "ftp"}]}, ["idx", "folder", "digits"]),
    ],
)
def test_an_unknown_kind_is_an_error_that_lists_the_known_ones(
    make_recipe: MakeRecipe, changes: dict[str, Any], choices: list[str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        make_recipe(changes)
    assert all(f"'{choice}'" in str(caught.value) for choice in choices)


def test_only_fresh_crops_store_a_margin(make_recipe: MakeRecipe) -> None:
    for crop, stored in {"none": (32, 64), "baked": (32, 64), "fresh": (36, 72)}.items():
        size = {"preprocess.height": 32, "preprocess.width": 64, "preprocess.crop_margin": 0.125}
        preprocess = make_recipe({**size, "preprocess.crop": crop}).preprocess
        assert (preprocess.stored_height, preprocess.stored_width) == stored


def test_the_folder_of_an_image_set_is_its_name_or_made_from_its_settings(make_recipe: MakeRecipe) -> None:
    assert make_recipe({"generate.name": "album"}).generate.folder == "album"
    section = make_recipe({"generate.count": 5, "generate.seed": 7, "generate.format": "parquet"}).generate
    assert section.folder == "5-seed7-parquet"


def test_the_folder_of_a_set_of_one_label_names_the_label(make_recipe: MakeRecipe) -> None:
    for label, folder in [("cat", "5-seed7-cat-png"), ("a/b c", "5-seed7-a-b-c-png"), (3, "5-seed7-3-png")]:
        changes = {"model.conditional": True, "generate.count": 5, "generate.seed": 7, "generate.label": label}
        section = make_recipe(changes).generate
        assert section.folder == folder
        assert section.label == str(label)


@pytest.mark.parametrize(
    ("key", "value", "expected", "found"),
    [
        ("label", "cat", "none", "cat"),
        ("labels", "balanced", "none", "balanced"),
        ("labels", {"cat": 5, "dog": 5}, "none", "cat"),
        ("label_folders", True, "false", "true"),
    ],
)
def test_settings_of_labels_need_a_conditional_model(
    make_recipe: MakeRecipe, key: str, value: object, expected: str, found: str
) -> None:
    changes = {f"generate.{key}": value}
    message = (
        f"generate.{key}: expected {expected}, as model.conditional is off, found {found}; set model.conditional=true"
    )
    with pytest.raises(ValidationError, match=re.escape(message)):
        make_recipe(changes)
    make_recipe(changes | {"model.conditional": True})
    make_recipe(changes | {"tune.space": {"model.conditional": [True, False]}})


def test_no_part_of_a_recipe_can_be_changed(make_recipe: MakeRecipe) -> None:
    for part in parts(make_recipe()):
        for name in type(part).model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(part, name, getattr(part, name))


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_setting_has_a_description(section: type[settings.Section]) -> None:
    assert section.__doc__
    for name, field in section.model_fields.items():
        chooses_the_kind = name in ("kind", "network", "likelihood")
        is_a_section = section is Recipe and name not in ("name", "title", "seed", "sources")
        assert field.description or chooses_the_kind or is_a_section, f"{section.__name__}.{name}"
