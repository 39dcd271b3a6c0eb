"""A small set of images for a command beside the stages: made by the generate stage in its own process, and not kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.generate.component import STAGE as GENERATE
from pipeline.core.run import run_process
from pipeline.core.stage_process import task_for
from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.artifacts.manifest import MANIFEST
from schemas.errors import DataError
from schemas.recipe.recipe import Recipe


def make_set(generator: Generator, settings: Mapping[str, Any], *, folder: Path, command: str) -> ImageSet:
    """Make images with a generator, as `generate` does.

    Args:
        generator: The generator; the stage checks that it is whole.
        settings: Of the recipe's section `generate`; the others have their defaults.
        folder: An empty folder for the set.
        command: The command that needs the images; its log goes beside the generator.

    Raises:
        DataError: The generator's manifest has no recipe that can be read.
        StageFailed: The stage ended without a set.
    """
    try:
        recipe = Recipe.model_validate(
            {**generator.manifest.recipe, "generate": dict(settings), "beam": {"workers": 1}}
        )
    except ValidationError:
        raise DataError(
            f"{generator.path / MANIFEST}: expected the recipe, found none that can be read; "
            f"to make it again, remove {generator.path}"
        ) from None
    images = ImageSet(folder / "set")
    task = task_for(
        GENERATE,
        recipe,
        artifacts={Generator.TYPE: generator, Examples.TYPE: None},
        digests={Generator.TYPE: generator.digest},
        final=images.path,
    )
    run_process(task, log_path=generator.path.parent / ".logs" / f"{command}.log", command=command)
    return images
