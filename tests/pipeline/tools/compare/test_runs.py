"""What is read of each run: its generator, its settings, its name."""

from __future__ import annotations

from pathlib import Path

from helpers.runs_by_hand import seal

from pipeline.tools.compare.runs import read_runs
from schemas.artifacts.kinds import Generator, HyperParameters, Model, ModelEvaluation
from schemas.recipe.recipe import Recipe


def test_a_generator_of_another_model_shows_nothing(copied: Path) -> None:
    recipe = Recipe.model_validate(Generator(copied / "grey" / "generator").manifest.recipe)
    seal(Generator(copied / "twin" / "generator"), recipe, inputs={"Model": "34cd" * 16})
    twin = read_runs(["grey", "twin"], runs=copied)[1]
    assert twin.generator is None
    assert twin.no_generator == ("its generator is of another model than its evaluation; run make export RECIPE=twin")


def test_what_a_search_chose_stands_in_place_of_the_recipes_value(copied: Path) -> None:
    run = copied / "twin"
    recipe = Recipe.model_validate(ModelEvaluation(run / "evaluation").manifest.recipe)
    tuned, model = HyperParameters(run / "hyperparameters"), Model(run / "model")
    tuned.path.mkdir()
    tuned.best_path.write_text('{"train.learning_rate": 0.005}')
    seal(tuned, recipe, inputs={})
    model.path.mkdir()
    seal(model, recipe, inputs={"HyperParameters": tuned.digest})
    evaluation = ModelEvaluation(run / "evaluation")
    seal(evaluation, recipe, inputs={**evaluation.manifest.inputs, "Model": model.digest})
    settings = read_runs(["grey", "twin"], runs=copied)[1].settings
    assert settings["train.learning_rate"] == "0.005 (tuned)"


def test_runs_of_one_name_are_told_apart_by_their_paths(shelf: Path, copied: Path) -> None:
    assert [run.name for run in read_runs(["bare", str(copied / "bare")], runs=shelf)] == [
        str(shelf / "bare"),
        str(copied / "bare"),
    ]
