"""Labels and own splits of listed image files, from their names: after listing, as they depend on all names."""

from __future__ import annotations

from collections.abc import Sequence

from components.ingest.catalogue import Catalogue
from components.sources import NamedFiles, Source
from components.sources.beside import read_tables
from components.sources.naming import Naming


def name_images(catalogue: Catalogue, sources: Sequence[Source]) -> list[str]:
    """Give every listed image of a folder or an archive its label and its own split.

    Args:
        catalogue: All images of all sources.
        sources: The sources, in the recipe's order.

    Returns:
        Sentences about what was understood, and about what the settings do not use.

    Raises:
        UsageError: A source has no table of the name that `table` says.
        DataError: A table is broken.
    """
    remarks: list[str] = []
    for number, source in enumerate(sources):
        if not isinstance(source, NamedFiles):
            continue
        start = 0 if len(sources) == 1 else len(f"{number}/")
        naming = Naming(source.settings, catalogue.folders(number, start=start), read_tables(source))
        catalogue.name(
            number,
            label=lambda key, naming=naming, start=start: naming.label(key[start:]),  # type: ignore[misc]
            split=lambda key, naming=naming, start=start: naming.split(key[start:]),  # type: ignore[misc]
        )
        remarks += naming.unused()
    return remarks
