"""The commands that run stages: one per stage, `all`, and `figures`."""

from __future__ import annotations

import shutil
from pathlib import Path

import typer

from components.reporting.console import console, counted
from components.reporting.numbers import data_size
from components.train.component import STAGE as TRAIN
from components.tune.component import STAGE as TUNE
from pipeline.cli.next_step import next_step
from pipeline.cli.options import (
    RUNS,
    DryRun,
    InceptionPath,
    Overrides,
    RecipeName,
    RunsFolder,
    SettingList,
    SourcePath,
    Trust,
    Verbose,
    all_overrides,
)
from pipeline.core import chain, run
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Generator, HyperParameters, ImageSet, ModelEvaluation
from schemas.recipe.recipe import Recipe

app = typer.Typer()


def _add_stage(name: str, doc: str) -> None:
    def command(
        recipe: RecipeName = "demo",
        source: SourcePath = None,
        overrides: Overrides = [],  # noqa: B006  typer copies it
        settings: SettingList = "",
        inception: InceptionPath = None,
        runs: RunsFolder = RUNS,
        dry_run: DryRun = False,
        trust: Trust = False,
        verbose: Verbose = False,
    ) -> None:
        overrides = all_overrides(overrides, settings=settings, inception=inception)
        loaded = load_recipe(recipe, source=source, overrides=overrides)
        stages = chain.stages_for(name)
        if name in ("all", "generate"):
            _print_unused_count(loaded, overrides)
        if TRAIN in stages:
            _print_unused_values(loaded, overrides, searches=TUNE in stages, runs=runs)
        run.run_stages(loaded, stages, runs=runs, dry_run=dry_run, verbose=verbose, trust=trust)
        if not dry_run:
            if name == "all":
                _print_results(loaded, runs)
            generator = Generator(chain.artifact_path(loaded, Generator, runs=runs))
            line = next_step(name, recipe=recipe, source=source, overrides=overrides, runs=runs, generator=generator)
            console.print(line, markup=False)
        elif name in ("all", "generate"):
            _print_size(loaded, runs)

    app.command(name, help=doc)(command)


for _stage in chain.STAGES:
    _add_stage(_stage.name, _stage.doc)
_add_stage("all", "All six stages.")


def _print_unused_count(recipe: Recipe, overrides: list[str]) -> None:
    """Say that labels with numbers of images replace a number that was asked for, which the recipe's own need not be."""
    is_set = any(override.startswith("generate.count=") for override in overrides)
    if is_set and isinstance(recipe.generate.labels, dict):
        images = sum(recipe.generate.labels.values())
        console.print(f"N is not used: labels makes {counted(images, 'image')}", markup=False)


def _print_unused_values(recipe: Recipe, overrides: list[str], *, searches: bool, runs: Path) -> None:
    """Say that the search's values go before those that were asked for, where there is a search or one is made."""
    searched = searches or HyperParameters(chain.artifact_path(recipe, HyperParameters, runs=runs)).exists
    keys = [key for key in (override.partition("=")[0] for override in overrides) if key in recipe.tune.space]
    if keys and searched and recipe.train.use_tuned:
        console.print(
            f"{' and '.join(dict.fromkeys(keys))} of SET {'is' if len(set(keys)) == 1 else 'are'} not used: tune's search says "
            "the value; add train.use_tuned=false to train with yours",
            markup=False,
        )


def _print_results(recipe: Recipe, runs: Path) -> None:
    evaluation = ModelEvaluation(chain.artifact_path(recipe, ModelEvaluation, runs=runs))
    images = ImageSet(chain.artifact_path(recipe, ImageSet, runs=runs))
    console.print(f"report         {evaluation.report_path}", markup=False)
    console.print(f"contact sheet  {images.contact_sheet_path}", markup=False)


def _print_size(recipe: Recipe, runs: Path) -> None:
    image, generate = recipe.preprocess, recipe.generate
    if generate.codes is not None or generate.between is not None:
        return  # the number of images depends on these
    count = len(generate.indices_of(None))
    # Raw pixels, which no format exceeds by much, and a row with the code.
    max_bytes = count * (image.height * image.width * image.channels + 4 * recipe.model.latent_dim + 400)
    folder = next(path for path in (runs.resolve(), *runs.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"set            {count:,} images, at most about {data_size(max_bytes)}; free on the disk: {data_size(free)}"
    console.print(text, markup=False)


@app.command()
def figures(
    recipe: RecipeName = "demo",
    overrides: Overrides = [],  # noqa: B006
    settings: SettingList = "",
    inception: InceptionPath = None,
    runs: RunsFolder = RUNS,
    verbose: Verbose = False,
) -> None:
    """Draw the figures and the report again, from the existing model."""
    loaded = load_recipe(recipe, overrides=all_overrides(overrides, settings=settings, inception=inception))
    evaluation = run.redraw(loaded, runs=runs, verbose=verbose)
    assert isinstance(evaluation, ModelEvaluation)
    console.print(f"figures        {evaluation.figures_path}", markup=False)
    console.print(f"report         {evaluation.report_path}", markup=False)
