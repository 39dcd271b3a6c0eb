"""A Generator to an ImageSet: as many synthetic images as wanted, each reproducible on its own."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.recipe.settings import GenerateSettings
from schemas.stage import Stage


def generate(
    generator: Generator, examples: Examples | None, images: ImageSet, settings: GenerateSettings
) -> dict[str, int]:
    """Draws codes, decodes them, and writes images with a row each; finished shards are kept through a kill.

    Args:
        generator: That makes them.
        examples: Training images, where near copies of them are left out.
        images: The set.
        settings: The recipe's.

    Returns:
        How many images, and how many were left out.

    Raises:
        UsageError: The generator does not have what is asked for.
        DataError: The generator, or what codes are given in, cannot be used.
    """
    from components.generate.run import run

    return run(generator, images, settings, examples=examples)


def given_digest(settings: GenerateSettings) -> dict[str, str | None]:
    """Sha256 of the content of given `codes`, where there are any.

    Raises:
        UsageError: They are not there.
    """
    if settings.generate.code_source is None:
        return {}
    from components.generate.own_codes import digest_of

    return {"codes": digest_of(settings.generate)}


STAGE = Stage(
    name="generate",
    doc="Make synthetic images: N, SEED, FORMAT=png|webp|parquet|webdataset|tfrecord|npy.",
    inputs=(Generator,),
    output=ImageSet,
    settings=GenerateSettings,
    run=generate,
    optional={Examples: lambda settings: settings.generate.drop_near_copies},
    external=given_digest,
    packages=("apache-beam", "tensorflow", "numpy", "isal", "pyarrow"),
)
