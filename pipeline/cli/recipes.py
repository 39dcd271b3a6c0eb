"""The commands about recipe files: `recipes`, `recipe`, `fetch` and `schema`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console
from pipeline.cli.options import RecipeName
from pipeline.recipes.load import FOLDER, load_recipe, recipe_files
from schemas.errors import UsageError
from schemas.paths import user_path
from schemas.recipe.recipe import Recipe

app = typer.Typer()


@app.command("recipes")
def list_recipes() -> None:
    """List the recipes."""
    files = recipe_files()
    width = max(len(path.stem) for path in files)
    for path in files:
        console.print(f"[bold]{path.stem:<{width}}[/bold]  ", end="")
        console.print(load_recipe(path.stem).title, markup=False)


@app.command("recipe")
def write_recipe(
    name: Annotated[str, typer.Option("--name", help="Name of the new recipe; with --check, of an existing one.")],
    source: Annotated[str | None, typer.Option("--source", "-s", help="Path of your images.")] = None,
    image_column: Annotated[
        str | None, typer.Option("--image-column", help="Column of images, of a table or Parquet.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option("--label-column", help="Column of labels, of a table or Parquet; none: no labels.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Look at the images of an existing recipe; write nothing.")
    ] = False,
) -> None:
    """Look at your images, say how they are understood, and write a recipe for them."""
    from components.sources.patterns import check_patterns
    from pipeline.recipes import speed
    from pipeline.recipes.look import look
    from pipeline.recipes.new import new_recipe
    from pipeline.recipes.show import print_look

    if check:
        if column := image_column or label_column:
            variable = "IMAGE_COLUMN" if image_column else "LABEL_COLUMN"
            raise UsageError(
                f"{variable}={column}: expected none with CHECK=1, which looks at what the recipe itself says, found one; write "
                "it into the recipe's `sources`, or look at SOURCE without CHECK"
            )
        recipe = load_recipe(name, source=source)
        console.print(f"recipe {recipe.name}", markup=False)
        images = 0
        for number, settings in enumerate(recipe.sources):
            seen = look(settings, choose=False)
            print_look(seen, preprocess=recipe.preprocess, conditional=recipe.model.conditional)
            if seen.exact:
                check_patterns(settings, seen.splits.keys(), number=number)
            images += seen.images
        if not images:
            raise UsageError("sources: expected at least one image, found none; is SOURCE the right folder?")
        return
    if not source:
        raise UsageError("SOURCE: expected the path of your images, found none; set SOURCE=… (or --source …)")
    path, seen, proposal = new_recipe(
        name, source, image=image_column, label=label_column, rate=speed.images_per_second
    )
    recipe = load_recipe(name)
    print_look(seen, preprocess=recipe.preprocess, conditional=recipe.model.conditional)
    console.print(f"  training    {proposal.duration}", markup=False)
    console.print(f"  search      {proposal.search}", markup=False)
    if proposal.warning:
        console.print(f"  {proposal.warning}", markup=False)
    sheet = f"runs/{name}/examples/contact_sheet.png"
    target = "all" if proposal.searched else "generate"
    console.print(
        f"wrote {path}; next: make ingest RECIPE={name}, look at {sheet}, then make {target} RECIPE={name}",
        markup=False,
    )


@app.command("fetch")
def fetch_data(
    recipe: RecipeName = "demo",
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FOLDER", parser=user_path, help="Folder. Default: data/<name of the recipe>."),
    ] = None,
) -> None:
    """Download the public data set that a recipe names."""
    from pipeline.recipes.fetch import fetch

    loaded = load_recipe(recipe)
    source = fetch(loaded, into=into if into else Path("data") / loaded.name)
    console.print(f"next: make all RECIPE={shlex.quote(recipe)} SOURCE={shlex.quote(str(source))}", markup=False)


@app.command()
def schema() -> None:
    """Write the JSON Schema of recipes, with which editors complete recipe files."""
    path = FOLDER / "recipe.schema.json"
    path.write_text(json.dumps(Recipe.model_json_schema(), indent=1) + "\n", encoding="utf-8")
    console.print(f"wrote {path}", markup=False)
