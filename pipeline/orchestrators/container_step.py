"""One stage in a container.

``python -m pipeline.orchestrators.container_step --stage train --given Examples /path … --output /path``

The engine that runs the container brings the inputs as folders, and takes the output. The recipe is in the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from components.reporting.console import console
from pipeline.core.chain import STAGES, kinds_of
from pipeline.core.stage_process import run_task, task_for
from pipeline.orchestrators.code_digest import code_digest
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

RECIPE = "LATENT_MILL_RECIPE"  # environment: the resolved recipe, as JSON


def recipe_in_environment(stage: Stage, settings: str) -> Recipe:
    """The resolved recipe.

    Args:
        stage: Whose settings are compared.
        settings: What decides its output, as JSON, when the pipeline was made.

    Raises:
        UsageError: There is no recipe, or its settings are others.
    """
    if RECIPE not in os.environ:
        raise UsageError(f"{RECIPE}: expected the resolved recipe as JSON in the environment, found nothing")
    recipe = Recipe.model_validate_json(os.environ[RECIPE])
    if stage.settings.of(recipe).content() != json.loads(settings):
        raise UsageError(f"{RECIPE}: expected the recipe that this pipeline was made from, found another one")
    return recipe


def main(words: list[str]) -> int:
    """Runs the step; returns the exit status, and says in one line on standard error what went wrong."""
    parser = argparse.ArgumentParser(prog="pipeline.orchestrators.container_step")
    parser.add_argument("--stage", required=True, choices=[stage.name for stage in STAGES])
    parser.add_argument(
        "--settings", required=True, help="What decides the output, as the pipeline was compiled with it."
    )
    parser.add_argument("--external", required=True, help="Digests of what is read from outside; null where not known.")
    parser.add_argument("--code", required=True, help="Of the code that the pipeline was compiled with.")
    parser.add_argument("--given", nargs=2, action="append", default=[], metavar=("NAME", "PATH"))
    parser.add_argument("--source", help="Where the engine put the images.")
    parser.add_argument("--output", required=True, type=Path)
    try:
        _run(parser.parse_args(words))
    except (UsageError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _run(told: argparse.Namespace) -> None:
    stage = next(stage for stage in STAGES if stage.name == told.stage)
    recipe = recipe_in_environment(stage, told.settings)
    settings = stage.settings.of(recipe)
    if (code := code_digest(stage)) != told.code:
        raise UsageError(
            f"--code: expected an image of the code that this pipeline was compiled with ({told.code[:12]}), found {code[:12]}; "
            "build the image and compile the pipeline from the same checkout"
        )
    if told.source is not None:
        [source] = recipe.sources
        recipe = recipe.model_copy(update={"sources": (source.model_copy(update={"path": told.source}),)})
        settings = stage.settings.of(recipe)
    paths = dict(told.given)
    given = {name: kind(Path(paths[name])) if name in paths else None for name, kind in kinds_of(stage).items()}
    inputs = {name: artifact.digest for name, artifact in given.items() if artifact is not None}
    external = json.loads(told.external)
    if external is None:
        assert stage.external is not None
        found = stage.external(settings)
        external = {name: digest for name, digest in found.items() if digest is not None}
        if len(external) < len(found):
            raise UsageError("sources: expected a path in the container, or a URI that the engine knows, found none")
    with tempfile.TemporaryDirectory() as folder:  # the output may be a mounted bucket, where no folder can be renamed
        whole = Path(folder) / "whole"
        run_task(task_for(stage, recipe, given=given, inputs=inputs | external, final=whole))
        shutil.copytree(whole, told.output, dirs_exist_ok=True)
    console.print(f"{stage.output.TYPE} {stage.output(told.output).digest}  {told.output}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
