"""The commands that inspect artifacts: `status` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console
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
    """Print a line per stage: fresh, or stale and why."""
    overrides = all_overrides(overrides, settings=settings, inception=inception)
    loaded = load_recipe(recipe, source=source, overrides=overrides)
    for item in chain.all_statuses(loaded, list(chain.STAGES), runs=runs):
        if item.fresh:
            counts = ", ".join(
                f"{count:,} {name.replace('_', ' ')}" for name, count in item.output.manifest.counts.items()
            )
            console.print(f"[bold]{item.stage.name:<9}[/bold] [green]fresh[/green]  ", end="")
            console.print(f"{item.output.path}  ({counts})", markup=False)
        else:
            console.print(f"[bold]{item.stage.name:<9}[/bold] [yellow]stale[/yellow]  ", end="")
            console.print(item.reason, markup=False)


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
    damaged = []
    for path in paths:
        artifact = open_artifact(path)
        if lines := artifact.damage(thorough=True):
            damaged += lines
            console.print("[red]damaged[/red]  ", end="")
            console.print(str(path), markup=False)
            for line in lines[:SHOWN]:
                console.print(f"         {line}", markup=False)
            if len(lines) > SHOWN:
                console.print(f"         and {len(lines) - SHOWN:,} more")
        else:
            manifest = artifact.manifest
            size = sum(entry.size for entry in manifest.files.values())
            console.print("[green]whole[/green]    ", end="")
            console.print(
                f"{path}  {manifest.type} {manifest.digest[:12]}, {len(manifest.files):,} files, {size:,} bytes",
                markup=False,
            )
    if damaged:
        more = f" (and {len(damaged) - 1:,} more)" if len(damaged) > 1 else ""
        raise DataError(f"{damaged[0]}{more}")
