"""The commands beside the stages: `mix`, `interpolate`, `explore`, `why` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console
from pipeline.cli.options import RUNS, Page, RecipeName, RunNames, RunsFolder
from pipeline.recipes.load import load_recipe

app = typer.Typer()

FirstImage = Annotated[Path, typer.Argument(metavar="A", help="An image of yours.")]
Label = Annotated[str | None, typer.Option("--label", help="Of the decoded images, for a model that takes labels.")]
SecondImage = Annotated[Path, typer.Argument(metavar="B", help="Another.")]


@app.command()
def mix(
    first: FirstImage,
    second: SecondImage,
    recipe: RecipeName = "demo",
    label: Label = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The PNG. Default: mix-A-B.png in the current folder.")
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Two images of yours, and what the generator sees halfway between them."""
    from pipeline.tools import mixing

    mixing.mix(first, second, label=label, recipe=recipe, runs=runs, out=out)


@app.command()
def interpolate(
    first: FirstImage,
    second: SecondImage,
    recipe: RecipeName = "demo",
    steps: Annotated[
        int, typer.Option("--steps", help="Images, both ends included; in rows where they are many.")
    ] = 12,
    label: Label = None,
    gif: Annotated[bool, typer.Option("--gif", help="Also an animated GIF, there and back, beside the PNG.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The PNG. Default: interpolate-A-B.png in the current folder.")
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """The way from one image of yours to another, as the generator sees it."""
    from pipeline.tools import mixing

    mixing.interpolate(first, second, steps=steps, gif=gif, label=label, recipe=recipe, runs=runs, out=out)


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
    from pipeline.tools.explorer.folder import build
    from pipeline.tools.explorer.server import serve

    folder = build(load_recipe(recipe), runs=runs, out=out)
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
    from pipeline.tools import why as lineage

    lineage.why(image, index=index)


@app.command()
def compare(names: RunNames = [], runs: RunsFolder = RUNS, out: Page = None) -> None:  # noqa: B006
    """Two runs or more side by side: figures, settings, the same images and codes."""
    from pipeline.tools.compare.command import compare_runs

    compare_runs(names, runs=runs, out=out)
