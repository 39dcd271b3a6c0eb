"""The first screen of a run: what a recipe changes from the defaults."""

from __future__ import annotations

from typing import Any

import pytest

from components.reporting.console import console
from pipeline.recipes.load import load_recipe, recipe_files
from pipeline.recipes.summary import LONGEST, Readers, changed_settings, print_recipe
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import (
    EvaluateSettings,
    ExportSettings,
    GenerateSettings,
    IngestSettings,
    TrainSettings,
    TuneSettings,
)


def recipe_with(**sections: Any) -> Recipe:
    """Return the smallest recipe, with some sections."""
    smallest: dict[str, Any] = {
        "name": "photos",
        "title": "My [photos]",
        "sources": [{"kind": "folder"}],
        "model": {"network": "conv"},
        "loss": {"likelihood": "mse"},
    }
    return Recipe.model_validate(smallest | sections)


def sections_of(recipe: Recipe) -> dict[str, list[str]]:
    return dict(changed_settings(recipe))


def test_the_smallest_recipe_has_the_kinds_of_its_source_network_and_loss() -> None:
    assert changed_settings(recipe_with()) == [("sources", ["folder"]), ("model", ["conv"]), ("loss", ["mse"])]


@pytest.mark.parametrize(
    ("sections", "name", "expected"),
    [
        ({"train": {"epochs": 40, "batch_size": 128}}, "train", ["epochs 40"]),  # 128 is the default
        ({"train": {"deterministic": True}}, "train", ["deterministic true"]),
        ({"train": {"engine": {"precision": "float32"}}}, "train", ["engine.precision float32"]),
        ({"model": {"network": "dense", "hidden": [9]}}, "model", ["dense", "hidden [9]"]),
        ({"model": {"network": "resnet", "latent_dim": 2}}, "model", ["resnet", "latent_dim 2"]),  # conv's default
        ({"loss": {"likelihood": "gaussian", "kl": "mean"}}, "loss", ["gaussian", "kl mean"]),
        ({"seed": 7}, "seed", ["7"]),
        (
            {"generate": {"labels": {"cat": 5}}, "model": {"network": "conv", "conditional": True}},
            "generate",
            ["labels.cat 5"],
        ),
        (
            {"tune": {"space": {"model.latent_dim": [2, 4], "train.learning_rate": {"low": 1e-4, "high": 0.01, "log": True}}}},
            "tune.space",
            ["model.latent_dim [2, 4]", "train.learning_rate 0.0001 to 0.01 (log)"],
        ),
        (
            {"tune": {"space": {"train.batch_size": {"low": 32, "high": 64, "step": 16}}}},
            "tune.space",
            ["train.batch_size 32 to 64, step 16"],
        ),
        ({"sources": [{"kind": "zip", "test": ["a*"]}]}, "sources", ["zip", "test [a*]"]),
    ],
)  # fmt: skip
def test_a_section_lists_what_it_changes(sections: dict[str, Any], name: str, expected: list[str]) -> None:
    assert sections_of(recipe_with(**sections))[name] == expected


def test_sections_without_changes_are_left_out() -> None:
    defaults = {"train": {"epochs": 10}, "generate": {"count": 1000}, "evaluate": {"gates": {}}}
    assert changed_settings(recipe_with(**defaults)) == changed_settings(recipe_with())


def test_each_source_has_a_line_and_many_sources_are_counted() -> None:
    sources = [{"kind": "folder", "path": f"/photos/{number}"} for number in range(6)]
    lines = [settings for name, settings in changed_settings(recipe_with(sources=sources)) if name == "sources"]
    assert lines[0] == ["folder", "path /photos/0"]
    assert lines[3:] == [["folder", "path /photos/3"], ["and 2 more"]]


@pytest.mark.parametrize(
    ("readers", "names"),
    [
        ([IngestSettings], ["seed", "sources", "preprocess", "beam"]),
        ([TrainSettings], ["seed", "model", "loss", "train"]),
        ([EvaluateSettings], ["seed", "train", "evaluate"]),
        ([ExportSettings, GenerateSettings], ["seed", "export", "generate", "beam"]),
    ],
)
def test_only_what_the_stages_read_that_run_is_listed(readers: Readers, names: list[str]) -> None:
    recipe = recipe_with(
        seed=7, preprocess={"height": 32}, train={"epochs": 40, "use_tuned": False}, tune={"epochs": 3},
        evaluate={"sampler": "normal"}, export={"formats": []}, generate={"count": 5}, beam={"workers": 2},
    )  # fmt: skip
    sections = changed_settings(recipe, readers)
    assert [name for name, _ in sections] == names
    if readers == [EvaluateSettings]:
        assert dict(sections)["train"] == ["use_tuned false"]  # of training, it reads nothing else


def test_of_training_a_search_lists_only_what_trials_read() -> None:
    sections = dict(changed_settings(recipe_with(train={"epochs": 40, "batch_size": 8}), [TuneSettings]))
    assert sections["train"] == ["batch_size 8"]


def test_a_long_setting_is_cut() -> None:
    [_, setting] = sections_of(recipe_with(sources=[{"kind": "zip", "test": ["a*"] * 100}]))["sources"]
    assert len(setting) == LONGEST
    assert setting.endswith("…")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("path", recipe_files(), ids=lambda path: path.stem)
def test_lines_fit_the_terminal(
    path: Any, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_width", width)
    recipe = load_recipe(path.stem)
    print_recipe(recipe, full=False)
    title, *lines, last = capsys.readouterr().out.splitlines()
    assert title == f"{recipe.name}  {recipe.title}"
    assert max(map(len, lines)) <= width
    assert last == "  settings not listed have their defaults or are not used here; VERBOSE=1 (--verbose) lists all"
    # Every changed setting, whole: lines break only between settings.
    printed = " ".join(line.strip() for line in lines)
    assert all(setting in printed for _, settings in changed_settings(recipe) for setting in settings)


def test_every_setting_is_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    print_recipe(recipe_with(), full=True)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "photos  My [photos]"
    assert [line.split()[0] for line in lines] == [
        name for name in Recipe.model_fields if name not in ("name", "title", "data")
    ]
    assert "  train       {epochs: 10, batch_size: 128, " in "\n".join(lines)
