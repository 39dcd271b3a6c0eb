"""Labels and own splits of listed image files, from their names: after listing, as they depend on all names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from components.ingest.catalogue import Catalogue
from components.sources import NamedFiles, Source
from components.sources.beside import read_tables
from components.sources.folder_names import split_meant_by
from components.sources.layout import Layout, folders_of
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
        names = partial(catalogue.names, number, start=start)
        table = read_tables(source)
        if table is not None:
            table.match(names())
        naming = Naming(source.settings, folders_of(names()), table)
        catalogue.name(
            number,
            label=lambda key, naming=naming, start=start: naming.label(key[start:]),  # type: ignore[misc]
            split=lambda key, naming=naming, start=start: naming.split(key[start:]),  # type: ignore[misc]
        )
        remarks += naming.unused(names)
    return remarks + list(_whole_sources(catalogue, sources))


def _whole_sources(catalogue: Catalogue, sources: Sequence[Source]) -> Iterator[str]:
    """Yield a sentence on each of several sources that is named for a split as a whole, and is not in it."""
    if len(sources) < 2:
        return
    own_splits = catalogue.own_splits()
    for number, source in enumerate(sources):
        settings: Any = source.settings
        if number in own_splits or not hasattr(settings, "test"):
            continue
        place = os.path.basename((settings.path or "").rstrip("/"))
        layout = Layout(folders_of(catalogue.names(number, start=len(f"{number}/"))))
        for name in (place, *layout.leading):
            if (split := split_meant_by(name)) in ("validation", "test"):
                yield (
                    f"sources.{number} is named for the {split} split (`{name:.80}`), which the recipe does not use: its "
                    f'images are divided among all splits; sources.{number}.{split}=["*"] would keep them apart.'
                )
                break
