"""A Generator to an ImageSet: as many synthetic images as wanted, each reproducible on its own."""

from __future__ import annotations

from schemas.artifacts import Generator, ImageSet
from schemas.settings import GenerateSettings
from schemas.stage import Stage


def generate(generator: Generator, images: ImageSet, settings: GenerateSettings) -> dict[str, int]:
    """Draws codes, decodes them, and writes images with a row each; finished shards are kept through a kill.

    Returns:
        How many images.

    Raises:
        DataError: The generator cannot be loaded.
    """
    from components.generate.run import run

    return run(generator, images, settings)


STAGE = Stage(
    name="generate",
    doc="Make synthetic images: N, SEED, FORMAT=png|webp|parquet|webdataset|tfrecord|npy.",
    inputs=(Generator,),
    output=ImageSet,
    settings=GenerateSettings,
    run=generate,
    packages=("apache-beam", "tensorflow", "numpy", "opencv-python-headless", "pyarrow"),
)
