"""Reads tables beside the images that say their labels, such as `metadata.csv` of Hugging Face's imagefolder."""

from __future__ import annotations

import io
import json
import posixpath
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import islice

from components.sources import files
from components.sources.annotations import label_text
from components.sources.base import NamedFiles
from components.sources.endings import ending_of
from components.sources.naming import NamedBy, TableRows
from components.sources.path_table import PathTable, Row
from schemas.errors import DataError, UsageError

DATASET_JSON = "dataset.json"  # of StyleGAN's dataset_tool: {"labels": [["00000/img00000000.png", 6], …]}
USUAL = ("metadata.csv", "metadata.jsonl", "metadata.parquet", DATASET_JSON)
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
MOST = 20  # tables that are looked at
_MOST_REMARKS = 3  # on tables of one name, of which each folder may have one
_MOST_OTHERS = 5  # tables that are looked at for what the chosen one lacks
ENOUGH = 0.5  # of the images: a table of fewer is not about them


def read_tables(source: NamedFiles) -> TableRows | None:
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


def find_table(source: NamedFiles, keys: Collection[str], *, others: Collection[str]) -> tuple[str, TableRows] | None:
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
    candidates = [*usual, *sorted(names - set(usual))][:MOST]
    for name in candidates:
        try:
            rows = _rows_named(source, name)
        except (DataError, UsageError):
            continue  # a table of something else
        if rows and sum(
            key in rows and rows[key].label is not None for key in map(rows.spelling, keys)
        ) >= ENOUGH * len(keys):
            rows.remarks += _unread(source, keys, rows, [other for other in candidates if other != name])
            return name, rows
    return None


def _unread(source: NamedFiles, keys: Collection[str], rows: TableRows, others: Iterable[str]) -> list[str]:
    """Return a sentence on each other table that says labels of images that the chosen one lacks."""
    remarks = []
    for other in islice(others, _MOST_OTHERS):
        try:
            more = _rows_named(source, other) or TableRows()
        except (DataError, UsageError):
            continue  # a table of something else
        lacking = (more.spelling(key) for key in keys if rows.spelling(key) not in rows)
        count = sum(key in more and more[key].label is not None for key in lacking)
        if count:
            some = "1 other image" if count == 1 else f"{count:,} other images"
            remarks.append(
                f"{other} says the labels of {some} and is not read, because `table` names tables of one name: "
                "join them, or give both to `kind: table`."
            )
    return remarks


def tables_among(keys: Collection[str]) -> list[str]:
    """Return the last names of files that could be tables."""
    names = {posixpath.basename(key) for key in keys}
    return sorted(name for name in names if name == DATASET_JSON or ending_of(name) in ENDINGS)


def _rows_named(source: NamedFiles, name: str) -> TableRows | None:
    """Return the rows of all tables of a name, by key; None if there is none.

    Of several labels or splits of one image, the first counts.
    """
    rows: dict[str, NamedBy] = {}
    remarks: dict[str, None] = {}
    contradicted: dict[str, dict[str, None]] = {"label": {}, "split": {}}  # images
    count = 0
    for key, data in source.tables(name):
        count += 1
        folder = files.unquote(posixpath.dirname(key))
        table = None if name == DATASET_JSON else PathTable(key, partial(io.BytesIO, data))
        for row in table.rows() if table else _dataset_json(key, data):
            image = files.quote(posixpath.normpath(posixpath.join(folder, row.path)))
            first = rows.get(image, NamedBy(None, None))
            for what, now, then in (("label", row.label, first.label), ("split", row.split, first.split)):
                if None not in (now, then) and now != then:
                    contradicted[what][image] = None
            rows[image] = NamedBy(first.label or row.label, first.split or row.split)
        remarks |= dict.fromkeys(table.remarks() if table else ())
    sentences = [f"Of {name}: {remark} These are keys of `kind: table`." for remark in islice(remarks, _MOST_REMARKS)]
    for what, images in contradicted.items():
        if images:
            some = "1 image" if len(images) == 1 else f"{len(images):,} images"
            sentences.append(
                f"{name} gives {some} more than one {what}, and the first counts: {next(iter(images)):.80}."
            )
    return TableRows(rows, sentences) if count else None


def _dataset_json(name: str, data: bytes) -> Iterator[Row]:
    try:
        for path, label in json.loads(data)["labels"] or []:
            yield Row(str(path), None if isinstance(label, list) else label_text(label), None)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f'{name}: expected {{"labels": [["name of an image", label], …]}}, found something else ({error})'
        ) from None
