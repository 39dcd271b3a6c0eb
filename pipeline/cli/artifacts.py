"""The commands that inspect artifacts: `status` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console, counted
from components.reporting.numbers import data_size
from pipeline.cli.options import (
    RUNS,
    InceptionPath,
    Overrides,
    RecipeName,
    RunsFolder,
    SettingList,
    SourcePath,
    all_overrides,
)
from pipeline.core import chain
from pipeline.core.contents import contents
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import open_artifact
from schemas.errors import DataError

app = typer.Typer()

SHOWN = 20  # differences of an artifact


@app.command()
def status(
    recipe: RecipeName = "demo",
    source: SourcePath = None,
    overrides: Overrides = [],  # noqa: B006
    settings: SettingList = "",
    inception: InceptionPath = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Print a line per stage: up to date, or to run and why."""
    overrides = all_overrides(overrides, settings=settings, inception=inception)
    loaded = load_recipe(recipe, source=source, overrides=overrides)
    for item in chain.all_statuses(loaded, list(chain.STAGES), runs=runs):
        state, colour, text = "to run", "yellow", item.reason
        if item.fresh:
            held = contents(item.output.manifest)
            state, colour, text = "up to date", "green", f"{item.output.path}  ({held})"
        elif item.damaged:
            state, colour, text = "damaged", "red", item.reason.removeprefix("damaged: ")
        elif item.busy:
            state = "running"
        console.print(f"[bold]{item.stage.name:<9}[/bold] [{colour}]{state:<10}[/{colour}]  ", end="")
        console.print(text, markup=False)


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(help="Artifacts. Default: all artifacts of the recipe.")] = [],  # noqa: B006
    recipe: RecipeName = "demo",
    runs: RunsFolder = RUNS,
) -> None:
    """Hash every file of an artifact again, and compare the hashes with its manifest."""
    if not paths:
        root = runs / load_recipe(recipe).name
        paths = sorted(path.parent for path in [*root.glob("*/manifest.json"), *root.glob("images/*/manifest.json")])
        paths = [path for path in paths if not path.name.startswith(".")]
        if not paths:
            raise DataError(f"{root}: expected artifacts, found none; run make all RECIPE={recipe}")
    differences: list[str] = []
    damaged = files = size = 0
    for path in paths:
        artifact = open_artifact(path)
        lines = artifact.damage(thorough=True)
        if lines:
            damaged += 1
            differences += lines
            console.print("[red]damaged[/red]  ", end="")
            console.print(str(path), markup=False)
            for line in lines[:SHOWN]:
                console.print(f"         {line}", markup=False)
            if len(lines) > SHOWN:
                console.print(f"         and {len(lines) - SHOWN:,} more")
            continue
        manifest = artifact.manifest
        own_size = sum(entry.size for entry in manifest.files.values())
        files, size = files + len(manifest.files), size + own_size
        console.print("[green]whole[/green]    ", end="")
        console.print(
            f"{path}  {manifest.type} {manifest.digest[:12]}, {counted(len(manifest.files), 'file')}, {data_size(own_size)}",
            markup=False,
        )
    checked = counted(len(paths), "artifact")
    if differences:
        console.print(f"checked {checked}: {damaged:,} damaged, with {counted(len(differences), 'difference')}")
        more = f" (and {len(differences) - 1:,} more)" if len(differences) > 1 else ""
        raise DataError(f"{differences[0]}{more}")
    console.print(f"checked {checked}, {counted(files, 'file')}, {data_size(size)}: all are as they were written")
