"""The rows of a table, read one by one from CSV, TSV, JSONL or Parquet: each as its place and its values by column."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import IO, Any

from components.sources.columns import LABELS, PATHS, SPLITS, plain
from schemas.errors import DataError

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}  # what an ending promises; a header that says otherwise is believed
_SINGLE = {*PATHS, *LABELS, *SPLITS}  # columns of which a table may not have two: it cannot be said which counts
_MAX_LINE = 1 << 20  # characters
_BUFFER = 1 << 20
_FIRST_ROWS = 1_000  # of JSON, whose keys are the columns; and of Parquet, at a time

Record = tuple[str, Mapping[str, Any]]  # the place of a row, such as `list.csv, line 3`, and its values by column


def read_records(name: str, open_it: Callable[[], IO[bytes]], *, image: str = "") -> Iterator[Record]:
    """Yield the columns, without values, and then every row.

    Args:
        name: The table's path, for its ending and for messages.
        open_it: Opens its bytes for reading.
        image: The column of paths, if it has none of the names in `columns.PATHS`.

    Raises:
        DataError: The table cannot be read, or has a wrong header or row.
    """
    ending = os.path.splitext(name)[1].lower()
    try:
        if ending == ".parquet":
            with open_it() as raw:
                yield from _parquet_records(raw, name)
            return
        with open_it() as raw:
            encoding = "utf-16" if raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        with open_it() as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
            lines = _lines(text, name)
            yield from _json_records(lines, name) if ending == ".jsonl" else _separated_records(lines, name, image)
    except UnicodeError as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{name}: expected text in UTF-8, found bytes that are not ({reason}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{name}: expected a table that can be read, found {error}") from None


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    number = 0
    while line := text.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE:
            raise DataError(f"{name}, line {number}: expected less than {_MAX_LINE:,} characters, found more")
        yield line


def _separated_records(lines: Iterator[str], name: str, image: str) -> Iterator[Record]:
    first = next(lines, "")
    skipped = 0
    if re.fullmatch(r"sep=.\s*", first):  # Excel's word for the separator
        first, skipped = next(lines, ""), 1
    separator = _separator(first, name, image)
    reader = csv.reader(chain([first] if first else [], lines), delimiter=separator, skipinitialspace=True, strict=True)
    header: list[str] | None = None
    try:
        for values in reader:
            place = f"{name}, line {reader.line_num + skipped}"
            if header is None:
                header = [column.strip() for column in values]
                twice = next(
                    (column for column in header if header.count(column) > 1 and plain(column) in _SINGLE), None
                )
                if twice:
                    raise DataError(f"{place}: expected a header with one column {twice}, found {', '.join(header)}")
                yield place, dict.fromkeys(header)
            elif len(values) > len(header):
                what = "tabs" if separator == "\t" else "semicolons" if separator == ";" else "commas"
                raise DataError(f"{place}: expected {len(header)} values, found {len(values)}; quote what holds {what}")
            elif values:  # an empty line has none
                yield place, dict(zip(header, values, strict=False))
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: expected a row of values, found {error}") from None
    if header is None:
        raise DataError(f"{name}: expected a header with a column path, found an empty file")


def _separator(header: str, name: str, image: str) -> str:
    """Return the separator with which a header has a column of paths: that of the file's ending before others."""
    usual = _SEPARATORS.get(os.path.splitext(name)[1].lower(), ",")
    names = [plain(image)] if image else PATHS
    for separator in dict.fromkeys((usual, ",", ";", "\t", "|")):
        if any(plain(column) in names for column in header.replace('"', "").strip().split(separator)):
            return separator
    return usual


def _json_records(lines: Iterator[str], name: str) -> Iterator[Record]:
    rows = _json_rows(lines, name)
    first = list(islice(rows, _FIRST_ROWS))
    names = [column for _, row in first for column in row] if first else ["path"]
    yield f"{name}, line 1", dict.fromkeys(names)
    yield from chain(first, rows)


def _json_rows(lines: Iterator[str], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        place = f"{name}, line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: expected a JSON object, found something else ({error})") from None
        if not isinstance(row, dict):
            raise DataError(f"{place}: expected a JSON object with a path, found {type(row).__name__}")
        yield place, row


def _parquet_records(raw: IO[bytes], name: str) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import types

    try:
        with pq.ParquetFile(raw, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            texts = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
            plain_columns = [
                column.name for column in schema if any(test(column.type) for test in (*texts, types.is_dictionary))
            ]
            yield f"{name}, row 0", dict.fromkeys(plain_columns)
            number = 0
            for batch in file.iter_batches(_FIRST_ROWS, columns=plain_columns, use_threads=False):
                for row in batch.to_pylist():
                    yield f"{name}, row {number}", row
                    number += 1
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{name}: expected a whole Parquet file, found something else ({reason[:200]})") from None
