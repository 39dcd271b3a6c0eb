"""Generate: from a Generator to an ImageSet of any number of synthetic images, each reproducible on its own."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.recipe.settings import GenerateSettings
from schemas.stage import Stage


def generate(
    generator: Generator, examples: Examples | None, images: ImageSet, settings: GenerateSettings
) -> dict[str, int]:
    """Draw codes, decode them, and write the images and a table with a row for each.

    An interrupted stage resumes: finished shards are not made again.

    Args:
        generator: Generator of the images.
        examples: Training images, where near copies of them are dropped; None otherwise.
        images: Image set to write.
        settings: Settings of the recipe.

    Returns:
        Number of images, and of those that were dropped.

    Raises:
        UsageError: The generator lacks what the settings ask for.
        DataError: The generator, or the file of codes, cannot be used.
    """
    from components.generate.run import run

    return run(generator, images, settings, examples=examples)


def code_source_digest(settings: GenerateSettings) -> dict[str, str | None]:
    """Return the sha256 of the file or images that codes come from; nothing where codes are drawn.

    Raises:
        UsageError: There is no such file.
    """
    if settings.generate.code_source is None:
        return {}
    from components.generate.code_source import digest_of

    return {"codes": digest_of(settings.generate)}


STAGE = Stage(
    name="generate",
    doc="Make synthetic images: N, SEED, FORMAT=png|webp|parquet|webdataset|tfrecord|npy.",
    inputs=(Generator,),
    output=ImageSet,
    settings=GenerateSettings,
    run=generate,
    optional={Examples: lambda settings: settings.generate.drop_near_copies},
    external=code_source_digest,
    packages=("apache-beam", "tensorflow", "numpy", "isal", "pyarrow"),
)
