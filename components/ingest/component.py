"""The stage `ingest`: from sources to Examples."""

from __future__ import annotations

from pathlib import Path

from schemas.artifacts.kinds import Examples
from schemas.recipe.settings import IngestSettings
from schemas.stage import Stage


def ingest(examples: Examples, settings: IngestSettings) -> dict[str, int]:
    """Write Examples from the recipe's sources.

    Returns:
        The numbers of images per split, of rejected images and of duplicates.

    Raises:
        UsageError: A source is not there, or has no images.
        DataError: Too many images are rejected, or a split would be empty.
    """
    from components.ingest.run import run

    return run(examples, settings)


def sources_digest(settings: IngestSettings) -> dict[str, str | None]:
    """Return the sha256 over the content of all `sources`; None if a source has no path yet.

    Raises:
        UsageError: A source is not there.
    """
    if any(getattr(source, "path", "") is None for source in settings.sources):
        return {"sources": None}
    import hashlib

    from components.sources import open_source

    digests = [open_source(source).digest() for source in settings.sources]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return {"sources": digest}


def after_crash(work: Path) -> str | None:
    """Return what another attempt will do after a crash; None if it would crash again. See `Stage.after_crash`."""
    from components.workers.attempts import interrupted_units

    return "its images are read again, each in a process of its own" if interrupted_units(work) else None


STAGE = Stage(
    name="ingest",
    doc="Read, resize, crop and split the images into TFRecords.",
    inputs=(),
    output=Examples,
    settings=IngestSettings,
    run=ingest,
    external=sources_digest,
    after_crash=after_crash,
    packages=("apache-beam", "numpy", "pillow", "pyarrow", "imagehash"),
)
