"""Reads tables beside the images that say their labels, such as `metadata.csv` of Hugging Face's imagefolder."""

from __future__ import annotations

import io
import json
import posixpath
from collections.abc import Collection, Iterator

from components.sources import files
from components.sources.annotations import label_text
from components.sources.base import NamedFiles
from components.sources.endings import ending_of
from components.sources.naming import NamedBy
from components.sources.path_table import PathTable, Row
from schemas.errors import DataError, UsageError

DATASET_JSON = "dataset.json"  # of StyleGAN's dataset_tool: {"labels": [["00000/img00000000.png", 6], …]}
USUAL = ("metadata.csv", "metadata.jsonl", "metadata.parquet", DATASET_JSON)
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
MOST = 20  # tables that are looked at
ENOUGH = 0.5  # of the images: a table of fewer is not about them


def read_tables(source: NamedFiles) -> dict[str, NamedBy] | None:
    """Return what the tables beside the images say, by the image's key; None without the setting `table`.

    Raises:
        UsageError: The source has no table of that name.
        DataError: A table is broken.
    """
    name = source.settings.table
    if name is None:
        return None
    rows = _rows_named(source, name)
    if rows is None:
        raise UsageError(f"sources.table: expected files named {name} beside the images, found none")
    return rows


def find_table(
    source: NamedFiles, keys: Collection[str], *, others: Collection[str]
) -> tuple[str, dict[str, NamedBy]] | None:
    """Find the table beside the images that says the labels of at least half of them.

    Args:
        source: The source.
        keys: Names of the images.
        others: Names of the other files.

    Returns:
        The setting `table`, and what the tables say.
    """
    names = set(tables_among(others))
    usual = [name for name in USUAL if name in names]
    for name in [*usual, *sorted(names - set(usual))][:MOST]:
        try:
            rows = _rows_named(source, name)
        except (DataError, UsageError):
            continue  # a table of something else
        if rows and sum(key in rows and rows[key].label is not None for key in keys) >= ENOUGH * len(keys):
            return name, rows
    return None


def tables_among(keys: Collection[str]) -> list[str]:
    """Return the last names of files that could be tables."""
    names = {posixpath.basename(key) for key in keys}
    return sorted(name for name in names if name == DATASET_JSON or ending_of(name) in ENDINGS)


def _rows_named(source: NamedFiles, name: str) -> dict[str, NamedBy] | None:
    """Return the rows of all tables of a name, by key; None if there is none."""
    rows: dict[str, NamedBy] = {}
    count = 0
    for key, data in source.tables(name):
        count += 1
        folder = files.unquote(posixpath.dirname(key))
        for row in _rows(key, data):
            rows[files.quote(posixpath.normpath(posixpath.join(folder, row.path)))] = NamedBy(row.label, row.split)
    return rows if count else None


def _rows(name: str, data: bytes) -> Iterator[Row]:
    if posixpath.basename(name) == DATASET_JSON:
        return _dataset_json(name, data)
    return PathTable(name, lambda: io.BytesIO(data)).rows()


def _dataset_json(name: str, data: bytes) -> Iterator[Row]:
    try:
        for path, label in json.loads(data)["labels"] or []:
            yield Row(str(path), None if isinstance(label, list) else label_text(label), None)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f'{name}: expected {{"labels": [["name of an image", label], …]}}, found something else ({error})'
        ) from None
