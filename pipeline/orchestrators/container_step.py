"""Runs one stage in a container.

``python -m pipeline.orchestrators.container_step --stage train --input Examples /path … --output /path``

The engine that runs the container copies the inputs into it as folders, and the output out of it. The recipe is in the
environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from components.reporting.console import console, one_line
from pipeline.core.chain import STAGES, kinds_of
from pipeline.core.stage_process import run_task, task_for
from pipeline.orchestrators.code_digest import code_digest
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

RECIPE = "LATENT_MILL_RECIPE"  # environment: the resolved recipe, as JSON


def recipe_in_environment(stage: Stage, settings: str) -> Recipe:
    """Return the resolved recipe.

    Args:
        stage: The stage, whose settings are compared.
        settings: The settings that the pipeline was made from, as JSON.

    Raises:
        UsageError: There is no recipe, or its settings differ.
    """
    if RECIPE not in os.environ:
        raise UsageError(f"{RECIPE}: expected the resolved recipe as JSON in the environment, found nothing")
    recipe = Recipe.model_validate_json(os.environ[RECIPE])
    if stage.settings.of(recipe).content() != json.loads(settings):
        raise UsageError(f"{RECIPE}: expected the recipe that this pipeline was made from, found another one")
    return recipe


def main(arguments: list[str]) -> int:
    """Run the step; return the exit status. An error is one line on standard error."""
    parser = argparse.ArgumentParser(prog="pipeline.orchestrators.container_step")
    parser.add_argument("--stage", required=True, choices=[stage.name for stage in STAGES])
    parser.add_argument("--settings", required=True, help="Settings that the pipeline was compiled with.")
    parser.add_argument("--external", required=True, help="Digests of the external data; null if they were not known.")
    parser.add_argument("--code", required=True, help="Digest of the code that the pipeline was compiled with.")
    parser.add_argument("--input", nargs=2, action="append", default=[], metavar=("NAME", "PATH"))
    parser.add_argument("--source", help="The folder into which the engine copied the images.")
    parser.add_argument("--output", required=True, type=Path)
    try:
        _run(parser.parse_args(arguments))
    except (UsageError, DataError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return error.exit_status
    return 0


def _run(options: argparse.Namespace) -> None:
    stage = next(stage for stage in STAGES if stage.name == options.stage)
    recipe = recipe_in_environment(stage, options.settings)
    settings = stage.settings.of(recipe)
    if (code := code_digest(stage)) != options.code:
        raise UsageError(
            f"--code: expected an image of the code that this pipeline was compiled with ({options.code[:12]}), "
            f"found {code[:12]}; build the image and compile the pipeline from the same checkout"
        )
    if options.source is not None:
        [source] = recipe.sources
        recipe = recipe.model_copy(update={"sources": (source.model_copy(update={"path": options.source}),)})
        settings = stage.settings.of(recipe)
    paths = dict(options.input)
    artifacts = {name: kind(Path(paths[name])) if name in paths else None for name, kind in kinds_of(stage).items()}
    digests = {name: artifact.digest for name, artifact in artifacts.items() if artifact is not None}
    external = json.loads(options.external)
    if external is None:
        assert stage.external is not None
        read = stage.external(settings)
        external = {name: digest for name, digest in read.items() if digest is not None}
        if len(external) < len(read):
            raise UsageError("sources: expected a path in the container, or a URI that the engine knows, found none")
    # The output may be a mounted bucket, in which folders cannot be renamed.
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        run_task(task_for(stage, recipe, artifacts=artifacts, digests=digests | external, final=whole))
        shutil.copytree(whole, options.output, dirs_exist_ok=True)
    console.print(f"{stage.output.TYPE} {stage.output(options.output).digest}  {options.output}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
