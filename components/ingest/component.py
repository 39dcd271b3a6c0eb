"""Sources to Examples: list, split, decode, resize, crop, write."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples
from schemas.recipe.settings import IngestSettings
from schemas.stage import Stage


def ingest(examples: Examples, settings: IngestSettings) -> dict[str, int]:
    """Writes Examples from the recipe's sources.

    Returns:
        Images per split, and how many were rejected.

    Raises:
        UsageError: A source is not there, or holds nothing.
        DataError: Too many images are rejected, or a split would be empty.
    """
    from components.ingest.run import run

    return run(examples, settings)


def sources_digest(settings: IngestSettings) -> dict[str, str | None]:
    """Sha256 over the content of all `sources`; None where a recipe leaves its path open and none was given.

    Raises:
        UsageError: A source is not there.
    """
    if any(getattr(source, "path", "") is None for source in settings.sources):
        return {"sources": None}
    import hashlib

    from components.sources import open_source

    digests = [open_source(source).digest() for source in settings.sources]
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return {"sources": whole}


STAGE = Stage(
    name="ingest",
    doc="Read, resize, crop and split the images into TFRecords.",
    inputs=(),
    output=Examples,
    settings=IngestSettings,
    run=ingest,
    external=sources_digest,
    packages=("apache-beam", "numpy", "pillow", "pyarrow", "imagehash"),
)
