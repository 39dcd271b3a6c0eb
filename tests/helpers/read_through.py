"""A source, read through part by part as ingest does. No test is here."""

from __future__ import annotations

from components.sources import Item, LeftOutError, RawImage, Source, SourceImage


def read_all(source: Source) -> list[SourceImage]:
    """Every image of a source, or why it cannot be read."""
    return [results for part in source.parts() for results in source.images(part.names)]


def items_of(source: Source) -> list[Item]:
    """Return what a source says of every image."""
    return [item for item, _ in read_all(source)]


def images_of(source: Source) -> dict[str, RawImage]:
    """Every image by its key, other than files that are left out; none may fail."""
    results = [(item, raw) for item, raw in read_all(source) if not isinstance(raw, LeftOutError)]
    assert not [raw for _, raw in results if isinstance(raw, Exception)]
    return {item.key: raw for item, raw in results if not isinstance(raw, Exception)}
