"""The recipe in a manifest has no paths, and is a recipe still."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from schemas.recipe.published import published
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import EvaluateSettings

MakeRecipe = Callable[..., Recipe]
HOME = "/home/lovelace"


def test_paths_and_other_machines_are_left_out_and_nothing_else(make_recipe: MakeRecipe) -> None:
    private: dict[str, Any] = {
        "sources": [{"kind": "folder", "path": f"{HOME}/photos", "label": "first_folder"}, {"kind": "digits"}],
        "data": {"about": "Photos.", "files": [{"url": f"file://{HOME}/a.zip", "sha256": "0" * 64, "name": "a"}]},
        "evaluate": {"feature_model": f"{HOME}/f.keras", "inception": f"{HOME}/inception-2015-12-05.pt"},
        "train": {"start_from": f"{HOME}/runs/other", "epochs": 3},
        "generate": {"around": f"{HOME}/near", "strength": 0.25},
        "beam": {"workers": 3, "options": ["--runner=FlinkRunner", "--job_endpoint=lovelaces-laptop:8099"]},
    }
    recipe = make_recipe(private)
    data = published(recipe.model_dump(mode="json"))
    assert "lovelace" not in json.dumps(data)
    again = Recipe.model_validate(data)
    assert again.sources == (recipe.sources[0].model_copy(update={"path": None}), recipe.sources[1])
    assert (again.preprocess, again.model, again.loss, again.train) == (
        recipe.preprocess,
        recipe.model,
        recipe.loss,
        recipe.train.model_copy(update={"start_from": None}),
    )
    assert again.generate.strength == 0.25
    assert published(data) == data


def test_a_recipe_of_another_version_is_taken_as_it_is() -> None:
    older = {"name": "photos", "sources": "photos", "evaluate": None, "data": [1], "unknown": {"key": 1}}
    assert published(older) == older


def test_files_of_evaluate_count_by_being_there_and_older_manifests_named_their_paths(make_recipe: MakeRecipe) -> None:
    def content(path: str | None) -> dict[str, Any]:
        return EvaluateSettings.of(make_recipe({"evaluate": {"inception": path}})).content()

    assert content(f"{HOME}/a.pt") == content("/elsewhere/a.pt") != content(None)
    older = {**content(f"{HOME}/a.pt"), "evaluate": {**content(None)["evaluate"], "inception": f"{HOME}/a.pt"}}
    assert EvaluateSettings.updated(older) == content(f"{HOME}/a.pt")
