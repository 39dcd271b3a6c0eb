"""A small set of images for a command beside the stages: made by the generate stage in its own process, and not kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.generate.component import STAGE as GENERATE
from pipeline.core.run import run_process
from pipeline.core.stage_process import make_task
from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.errors import UsageError
from schemas.recipe.generate import GenerateSection
from schemas.recipe.recipe import BeamSection
from schemas.recipe.settings import GenerateSettings


def make_set(generator: Generator, settings: Mapping[str, Any], *, folder: Path, command: str) -> ImageSet:
    """Make images with a generator, as `generate` does.

    Args:
        generator: The generator, which has to be trusted (`pipeline.core.trust`); the stage checks that it is whole.
        settings: Of the recipe's section `generate`; the others have their defaults.
        folder: An empty folder for the set.
        command: The command that needs the images; its log goes beside the generator.

    Raises:
        UsageError: A setting cannot be used.
        StageFailed: The stage ended without a set.
    """
    images = ImageSet(folder / "set")
    try:
        section = GenerateSection.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{command}: generate.{key}: expected a setting that can be used, found another: {first['msg']}"
        ) from None
    task = make_task(
        GENERATE,
        GenerateSettings(section, BeamSection(workers=1)),
        recipe=generator.manifest.recipe,  # as it is: an older version may have written it
        artifacts={Generator.TYPE: generator, Examples.TYPE: None},
        digests={Generator.TYPE: generator.digest},
        final=images.path,
    )
    run_process(task, log_path=generator.path.parent / ".logs" / f"{command}.log", command=command)
    return images
