"""The commands beside the stages: `mix`, `interpolate`, `explore`, `why` and `compare`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console
from pipeline.cli.options import RUNS, NameList, Page, RecipeName, RunNames, RunsFolder, Trust
from pipeline.recipes.load import load_recipe
from schemas.errors import UsageError
from schemas.paths import user_path

app = typer.Typer()

FirstImage = Annotated[Path, typer.Argument(metavar="A", parser=user_path, help="One of your images.")]
Label = Annotated[str | None, typer.Option("--label", help="Of the decoded images, for a model that takes labels.")]
SecondImage = Annotated[Path, typer.Argument(metavar="B", parser=user_path, help="Another.")]


@app.command()
def mix(
    first: FirstImage,
    second: SecondImage,
    recipe: RecipeName = "demo",
    label: Label = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", parser=user_path, help="The PNG. Default: mix-A-B.png in the current folder."
        ),
    ] = None,
    runs: RunsFolder = RUNS,
    trust: Trust = False,
) -> None:
    """Draw two of your images, and the image halfway between their codes."""
    from pipeline.tools import mixing

    mixing.mix(first, second, label=label, recipe=recipe, runs=runs, out=out, trust=trust)


@app.command()
def interpolate(
    first: FirstImage,
    second: SecondImage,
    recipe: RecipeName = "demo",
    steps: Annotated[int, typer.Option("--steps", help="Number of images, both ends included.")] = 12,
    label: Label = None,
    gif: Annotated[
        bool, typer.Option("--gif", help="Write an animated GIF, too, there and back, beside the PNG.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            parser=user_path,
            help="The PNG. Default: interpolate-A-B.png in the current folder.",
        ),
    ] = None,
    runs: RunsFolder = RUNS,
    trust: Trust = False,
) -> None:
    """Draw the images on the line from one of your images to another one, decoded by the generator."""
    from pipeline.tools import mixing

    mixing.interpolate(first, second, steps=steps, gif=gif, label=label, recipe=recipe, runs=runs, out=out, trust=trust)


@app.command()
def explore(
    recipe: RecipeName = "demo",
    runs: RunsFolder = RUNS,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            parser=user_path,
            help="Write the page into this folder, for any web host, instead of serving it.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0: any free one.")
    ] = 8765,
    trust: Trust = False,
) -> None:
    """Walk in the latent space, in your browser: the page decodes images as you move."""
    from pipeline.tools.explorer.folder import build
    from pipeline.tools.explorer.server import serve

    folder = build(load_recipe(recipe), runs=runs, out=out, trust=trust)
    if out is None:
        serve(folder, port=port)
    else:
        console.print(f"wrote {folder}; any web host can serve it", markup=False)


@app.command()
def why(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", parser=user_path, help="An image of a set; or a set, with --index.")
    ],
    index: Annotated[int | None, typer.Option("--index", help="Index of the image, in a file of many images.")] = None,
    trust: Trust = False,
) -> None:
    """Show where an image of a set comes from, back to the training images; make it again as proof."""
    from pipeline.tools import why as lineage

    lineage.why(image, index=index, trust=trust)


@app.command()
def compare(
    names: RunNames = [],  # noqa: B006
    name_list: NameList = "",
    runs: RunsFolder = RUNS,
    out: Page = None,
    trust: Trust = False,
) -> None:
    """Compare two runs or more: figures, settings, the same images and codes side by side."""
    from pipeline.tools.compare.command import compare_runs

    compare_runs([*names, *_split_names(name_list)], runs=runs, out=out, trust=trust)


def _split_names(text: str) -> list[str]:
    """Return names in one text, split as a shell does."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"RUNS: expected names with spaces between them, found {text[:80]!r} ({error}); put a name with a space or a "
            "quote in quotes"
        ) from None
