"""The command line: ``python -m pipeline STAGE --recipe NAME``; the Makefile calls it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console
from pipeline import chain, recipes, run, tfx_commands
from pipeline.options import (
    RUNS,
    DryRun,
    InceptionPath,
    Overrides,
    Page,
    RecipeName,
    RunNames,
    RunsFolder,
    SourcePath,
    Verbose,
)
from schemas.artifacts.kinds import ImageSet, ModelEvaluation, open_artifact
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe

app = typer.Typer(
    help="Raw images in, a generator and synthetic image sets out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130  # exit status


def _add_stage(name: str, doc: str) -> None:
    def command(
        recipe: RecipeName = "demo",
        source: SourcePath = None,
        overrides: Overrides = [],  # noqa: B006  typer copies it
        inception: InceptionPath = None,
        runs: RunsFolder = RUNS,
        dry_run: DryRun = False,
        verbose: Verbose = False,
    ) -> None:
        if inception is not None:
            overrides = [*overrides, f"evaluate.inception={json.dumps(inception, ensure_ascii=False)}"]  # JSON is YAML
        loaded = recipes.load_recipe(recipe, source=source, overrides=overrides)
        run.run_stages(loaded, chain.stages_for(name), runs=runs, dry_run=dry_run, verbose=verbose)
        if name in ("all", "generate"):
            if dry_run:
                _tell_size(loaded, runs)
            else:
                _tell_results(loaded, runs, everything=name == "all")

    app.command(name, help=doc)(command)


for _stage in chain.STAGES:
    _add_stage(_stage.name, _stage.doc)
_add_stage("all", "All six stages.")
app.add_typer(tfx_commands.app, name="tfx")


def _tell_results(recipe: Recipe, runs: Path, *, everything: bool) -> None:
    images = ImageSet(chain.artifact_path(recipe, ImageSet, runs=runs))
    if everything:
        evaluation = ModelEvaluation(chain.artifact_path(recipe, ModelEvaluation, runs=runs))
        console.print(f"report         {evaluation.report_path}", markup=False)
    console.print(f"contact sheet  {images.contact_sheet_path}", markup=False)


def _tell_size(recipe: Recipe, runs: Path) -> None:
    seen, wanted = recipe.preprocess, recipe.generate
    if wanted.codes is not None or wanted.between is not None:
        return  # as many images as these give
    count = len(wanted.indices_of(None))
    # Raw pixels, which no format exceeds by much, and a row with the code.
    most = count * (seen.height * seen.width * seen.channels + 4 * recipe.model.latent_dim + 400)
    folder = next(path for path in (runs.resolve(), *runs.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"set            {count:,} images, at most about {most / 1e6:,.1f} MB; on the disk {free / 1e6:,.0f} MB are free"
    console.print(text, markup=False)


@app.command()
def figures(
    recipe: RecipeName = "demo",
    overrides: Overrides = [],  # noqa: B006
    runs: RunsFolder = RUNS,
    verbose: Verbose = False,
) -> None:
    """Draw the figures and the report anew, from the model that there is."""
    evaluation = run.redraw(recipes.load_recipe(recipe, overrides=overrides), runs=runs, verbose=verbose)
    console.print(f"figures        {evaluation.path / 'figures'}", markup=False)


@app.command()
def status(
    recipe: RecipeName = "demo",
    source: SourcePath = None,
    overrides: Overrides = [],  # noqa: B006
    runs: RunsFolder = RUNS,
) -> None:
    """A line per stage: fresh, or stale and why."""
    loaded = recipes.load_recipe(recipe, source=source, overrides=overrides)
    for item in chain.standings(loaded, list(chain.STAGES), runs=runs):
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
    paths: Annotated[list[Path], typer.Argument(help="Artifacts. Default: all of the recipe's.")] = [],  # noqa: B006
    recipe: RecipeName = "demo",
    runs: RunsFolder = RUNS,
) -> None:
    """Hash every file of an artifact again, and compare with its manifest."""
    if not paths:
        root = runs / recipes.load_recipe(recipe).name
        paths = sorted(path.parent for path in [*root.glob("*/manifest.json"), *root.glob("images/*/manifest.json")])
        paths = [path for path in paths if not path.name.startswith(".")]
        if not paths:
            raise DataError(f"{root}: expected artifacts, found none; run make all RECIPE={recipe}")
    damaged = []
    for path in paths:
        artifact = open_artifact(path)
        if lines := artifact.damage(thorough=True):
            damaged += lines
            console.print(f"[red]damaged[/red]  {path}")
        else:
            manifest = artifact.manifest
            size = sum(entry.size for entry in manifest.files.values())
            console.print("[green]whole[/green]    ", end="")
            console.print(
                f"{path}  {manifest.type} {manifest.digest[:12]}, {len(manifest.files):,} files, {size:,} bytes",
                markup=False,
            )
    if damaged:
        raise DataError("\n".join(damaged[:20]))


@app.command("recipes")
def list_recipes() -> None:
    """The recipes that there are."""
    files = recipes.recipe_files()
    width = max(len(path.stem) for path in files)
    for path in files:
        console.print(f"[bold]{path.stem:<{width}}[/bold]  ", end="")
        console.print(recipes.load_recipe(path.stem).title, markup=False)


@app.command("recipe")
def write_recipe(
    name: Annotated[str, typer.Option("--name", help="Name of the new recipe.")],
    source: Annotated[str, typer.Option("--source", "-s", help="Your images.")],
) -> None:
    """Look at your images, and write a recipe for them."""
    from pipeline.new_recipe import new_recipe

    path = new_recipe(name, source)
    console.print(f"wrote {path}; next: make all RECIPE={name}", markup=False)


@app.command("fetch")
def fetch_data(
    recipe: RecipeName = "demo",
    into: Annotated[Path | None, typer.Option("--into", help="Folder. Default: data/<name of the recipe>.")] = None,
) -> None:
    """Download the public data set that a recipe names."""
    from pipeline.fetch import fetch

    loaded = recipes.load_recipe(recipe)
    source = fetch(loaded, into=into.expanduser() if into else Path("data") / loaded.name)
    console.print(f"next: make all RECIPE={shlex.quote(recipe)} SOURCE={shlex.quote(str(source))}", markup=False)


FirstImage = Annotated[Path, typer.Argument(metavar="A", help="An image of yours.")]
SecondImage = Annotated[Path, typer.Argument(metavar="B", help="Another.")]


@app.command()
def mix(
    first: FirstImage,
    second: SecondImage,
    recipe: RecipeName = "demo",
    out: Annotated[
        Path | None, typer.Option("--out", help="The PNG. Default: mix-A-B.png in the current folder.")
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Two images of yours, and what the generator sees halfway between them."""
    from pipeline import mixing

    mixing.mix(first, second, recipe=recipe, runs=runs, out=out)


@app.command()
def interpolate(
    first: FirstImage,
    second: SecondImage,
    recipe: RecipeName = "demo",
    steps: Annotated[
        int, typer.Option("--steps", help="Images, both ends included; in rows where they are many.")
    ] = 12,
    gif: Annotated[bool, typer.Option("--gif", help="Also an animated GIF, there and back, beside the PNG.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The PNG. Default: interpolate-A-B.png in the current folder.")
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """The way from one image of yours to another, as the generator sees it."""
    from pipeline import mixing

    mixing.interpolate(first, second, steps=steps, gif=gif, recipe=recipe, runs=runs, out=out)


@app.command()
def explore(
    recipe: RecipeName = "demo",
    runs: RunsFolder = RUNS,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the page into this folder, for any web host, and serve nothing.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On this machine; 0 takes a free one.")] = 8765,
) -> None:
    """Walk in the latent space, in your browser: a page that decodes as you move."""
    from pipeline.explorer.folder import build
    from pipeline.explorer.server import serve

    folder = build(recipes.load_recipe(recipe), runs=runs, out=out)
    if out is None:
        serve(folder, port=port)
    else:
        console.print(f"wrote {folder}; any web host can serve it", markup=False)


@app.command()
def why(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image of a set; or a set, with --index.")],
    index: Annotated[int | None, typer.Option("--index", help="Of the image, where a file holds many.")] = None,
) -> None:
    """Where an image of a set comes from, back to the training images; and make it again, to prove it."""
    from pipeline import why as lineage

    lineage.why(image, index=index)


@app.command()
def compare(names: RunNames = [], runs: RunsFolder = RUNS, out: Page = None) -> None:  # noqa: B006
    """Two runs or more side by side: figures, settings, the same images and codes."""
    from pipeline.compare.command import compare_runs

    compare_runs(names, runs=runs, out=out)


@app.command()
def schema() -> None:
    """Write the JSON Schema of recipes, from which editors complete recipe files."""
    path = recipes.FOLDER / "recipe.schema.json"
    path.write_text(json.dumps(Recipe.model_json_schema(), indent=1) + "\n")
    console.print(f"wrote {path}", markup=False)


def main() -> None:
    """Runs a command; what goes wrong is one line on standard error, and a status: 2 usage, 1 data."""
    raise SystemExit(guarded(app))


def guarded(command: Callable[[], object]) -> int:
    """Exit status of a command: 0, 2 for usage, 1 for data, 130 when interrupted."""
    try:
        command()
        return 0
    except SystemExit as end:  # typer ends every command this way, also an interrupted one
        status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        status = INTERRUPTED
    except (UsageError, DataError, run.StageFailed) as error:
        typer.echo(f"error: {error}", err=True)
        status = error.exit_status
    except OSError as error:
        if error.errno is None:
            raise
        typer.echo(f"error: {error.filename or 'a file'}: {os.strerror(error.errno)}", err=True)
        status = 1
    if status == INTERRUPTED:
        typer.echo("\nstopped: what is finished is kept, and the same command continues", err=True)
    return status


if __name__ == "__main__":
    main()
