"""Reads tables beside the images that say their labels, such as `metadata.csv` of Hugging Face's imagefolder."""

from __future__ import annotations

import io
import json
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple

from components.sources import columns, files
from components.sources.annotations import label_text
from components.sources.base import NamedFiles
from components.sources.endings import ending_of, may_be_used
from components.sources.folder_names import named
from components.sources.layout import HELD_OUT, Layout, folders_of
from components.sources.naming import NamedBy, TableRows
from components.sources.path_table import PathTable, Row
from components.sources.table_records import read_records
from schemas.errors import DataError, UsageError

DATASET_JSON = "dataset.json"  # of StyleGAN's dataset_tool: {"labels": [["00000/img00000000.png", 6], …]}
USUAL = ("metadata.csv", "metadata.jsonl", "metadata.parquet", DATASET_JSON)
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
MOST = 20  # tables that are looked at
_KEY = re.compile("`(image|label|split): ")  # in a sentence
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


class FoundTable(NamedTuple):
    """What the tables beside the images are good for.

    Attributes:
        name: The setting `table`: the last name of the tables that say the labels; None: no table does.
        rows: What these say.
        why_not: Reasons, as clauses, for each of the other tables.
    """

    name: str | None
    rows: TableRows | None
    why_not: dict[str, str]

    @property
    def says_splits(self) -> bool:
        """Whether the table says the split of an image."""
        return self.rows is not None and any(row.split for row in self.rows.values())

    def remarks(self) -> list[str]:
        """Return a sentence for each reason why tables are not used."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.why_not.items():
            by_reason.setdefault(reason, []).append(name)
        return [f"Not used: {named(names)}: {reason}." for reason, names in by_reason.items()]


def find_table(source: NamedFiles, keys: Collection[str], *, others: Collection[str]) -> FoundTable:
    """Find the table beside the images that says the labels of at least half of them.

    Args:
        source: The source.
        keys: Names of the images.
        others: Names of the other files.
    """
    names = set(tables_among(others))
    usual = [name for name in USUAL if name in names]
    candidates = [*usual, *sorted(names - set(usual))]
    why_not = dict.fromkeys(candidates[MOST:], f"only {MOST} tables are looked at")
    for name in candidates[:MOST]:
        try:
            rows = _rows_named(source, name) or TableRows()
        except (DataError, UsageError) as error:  # a table of something else
            advice = "rename that of file names to file_name"
            if not columns.named(_columns_of(source, name), columns.LABELS):
                advice += ", and that of labels to label"
            why_not[name] = str(error).rstrip(".").replace("name it by sources.image", advice)
            continue
        rows.match(keys)
        count = sum(key in rows and rows[key].label is not None for key in map(rows.spelling, keys))
        if count and count >= ENOUGH * len(keys):
            if reason := _why_folders(name, rows, keys):
                why_not[name] = reason
                continue
            rest = [other for other in candidates[:MOST] if other != name]
            unread = _unread(source, keys, rows, rest)
            rows.remarks += unread.values()
            rest = [other for other in rest if other not in unread]
            return FoundTable(name, rows, dict.fromkeys(rest, f"{name} says the labels") | why_not)
        why_not[name] = _why_not(rows, keys, labelled=count, names=_columns_of(source, name))
    return FoundTable(None, None, why_not)


def _why_folders(name: str, rows: TableRows, keys: Collection[str]) -> str | None:
    """Return why folders that say several labels go before a table, as before a `sample_submission.csv`; None: they do not."""
    layout = Layout(folders_of(filter(may_be_used, keys)))
    if layout.rule == "none" or len(layout.labels(layout.rule)) < 2:
        return None
    labels: set[str] = set()
    trained = False
    for key in keys:
        row = rows.get(rows.spelling(key))
        if row and row.label is not None:
            labels.add(row.label)
            trained |= (row.split or layout.split(tuple(key.split("/")[:-1]))) not in HELD_OUT
    if trained and len(labels) > 1:
        return None
    reason = f"it gives all its images one label, {min(labels):.40}" if trained else "it labels no training image"
    return f"{reason}, and the folders say several labels; sources.table={name} and sources.label=none take it"


def _why_not(rows: TableRows, keys: Collection[str], *, labelled: int, names: Iterable[str]) -> str:
    """Return the reason why a table that can be read does not say the labels."""
    listed = sum(key in rows for key in map(rows.spelling, keys))
    if not rows:
        return "it has no rows"
    if not listed:
        return f"it names none of the images, or does not say which; its first name is {next(iter(rows)):.80}"
    if not any(row.label for row in rows.values()):
        splits = ", but splits" if any(row.split for row in rows.values()) else ""
        has = f" (it has {', '.join(filter(None, names)):.200})" if names else ""
        return f"it says no labels{splits}{has}; rename the column that has them to label"
    return f"it says the labels of {labelled:,} of {len(keys):,} images, fewer than half"


def _unread(source: NamedFiles, keys: Collection[str], rows: TableRows, others: Iterable[str]) -> dict[str, str]:
    """Return, by name, a sentence on each other table that says labels of images that the chosen one lacks."""
    remarks = {}
    for other in islice(others, _MOST_OTHERS):
        try:
            more = _rows_named(source, other) or TableRows()
            more.match(keys)
        except (DataError, UsageError):
            continue  # a table of something else
        lacking = (more.spelling(key) for key in keys if rows.spelling(key) not in rows)
        count = sum(key in more and more[key].label is not None for key in lacking)
        if count:
            some = "1 other image" if count == 1 else f"{count:,} other images"
            remarks[other] = (
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
        table = None if name == DATASET_JSON else PathTable(key, partial(io.BytesIO, data), only_splits=False)
        for row in table.rows() if table else _dataset_json(key, data):
            image = files.quote(posixpath.normpath(posixpath.join(folder, row.path)))
            first = rows.get(image, NamedBy(None, None))
            for what, now, then in (("label", row.label, first.label), ("split", row.split, first.split)):
                if None not in (now, then) and now != then:
                    contradicted[what][image] = None
            rows[image] = NamedBy(first.label or row.label, first.split or row.split)
        remarks |= dict.fromkeys(table.remarks() if table else ())
    sentences = [
        f"Of {name}: {remark}{' These are keys of `kind: table`.' if _KEY.search(remark) else ''}"
        for remark in islice(remarks, _MOST_REMARKS)
    ]
    for what, images in contradicted.items():
        if images:
            some = "1 image" if len(images) == 1 else f"{len(images):,} images"
            sentences.append(
                f"{name} gives {some} more than one {what}, and the first counts: {next(iter(images)):.80}."
            )
    return TableRows(rows, sentences) if count else None


def _columns_of(source: NamedFiles, name: str) -> list[str]:
    """Return the columns of the tables of a name, as far as they can be read."""
    names: dict[str, None] = {}
    for key, data in source.tables(name) if name != DATASET_JSON else ():
        with suppress(DataError):
            names |= next(read_records(key, partial(io.BytesIO, data)))[1]
    return list(names)


def _dataset_json(name: str, data: bytes) -> Iterator[Row]:
    try:
        for path, label in json.loads(data)["labels"] or []:
            yield Row(str(path), None if isinstance(label, list) else label_text(label), None)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f'{name}: expected {{"labels": [["name of an image", label], …]}}, found something else ({error})'
        ) from None
