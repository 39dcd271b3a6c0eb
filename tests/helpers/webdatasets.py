"""WebDataset's archives, opened as a source. No test is here."""

from __future__ import annotations

from pathlib import Path

from helpers.read_through import items_of

from components.sources import Source, open_source
from schemas.recipe.sources import WebDatasetSource

SAMPLES = {"000.jpg": b"zero", "000.cls": b"7", "001.cls": b"3\n", "001.jpg": b"one"}


def source_at(path: Path, **settings: object) -> Source:
    """Return the archives as a source."""
    return open_source(WebDatasetSource.model_validate({"kind": "webdataset", "path": str(path), **settings}))


def labels(source: Source) -> dict[str, str | None]:
    """Return every image's label."""
    return {item.key: item.label for item in items_of(source)}
