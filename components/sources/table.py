"""Tables of paths: CSV, TSV or JSONL files that list images, their labels and their splits."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from itertools import tee
from typing import NamedTuple

from components.sources import files
from components.sources.annotations import SPLIT_WORDS, label_text
from components.sources.base import NAMES_PER_PART, Item, Part, ReadError, Source, SourceImage, chunks
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import TableSource

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".jsonl": None}
_MAX_LINE = 1 << 20  # characters


class _Row(NamedTuple):
    path: str
    label: str | None
    split: str | None


class Table(Source):
    """All images that a table lists, in its order, keyed by their paths as the table writes them.

    A path counts from the table's folder, unless it begins with `/` or has a scheme, such as `gs://`. It may lead anywhere,
    also by `..` and links, because the author of the table chose it. If the path of the source stands for several tables,
    keys begin with the table's name.
    """

    settings: TableSource

    def __init__(self, settings: TableSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        root, paths = files.find(settings)
        for path in paths:
            if _ending(path) not in _SEPARATORS or files.is_folder(path):
                raise UsageError(f"sources.path: kind table expects {_one_of(_SEPARATORS)} files, found {path}")
        prefixes = [""] if len(paths) == 1 else [f"{files.name_in(root, path)}/" for path in paths]
        self.tables = dict(zip(prefixes, paths, strict=True))

    def digest(self) -> str:
        """Return the sha256 over every listed file's name, content, label and split."""
        total = hashlib.sha256()
        rows, same_rows = tee(row for part in self.parts() for row in part.names)
        for row, sha256 in zip(rows, files.digests(self._path(json.loads(row)[0]) for row in same_rows), strict=True):
            total.update(f"{row}\0{sha256}\n".encode())
        return total.hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield parts of a thousand rows each.

        Raises:
            DataError: A table cannot be read, or has a wrong header or row.
        """
        for prefix, path in self.tables.items():
            rows = (json.dumps([f"{prefix}{row.path}", row.label, row.split]) for row in _rows(path))
            for names in chunks(rows, NAMES_PER_PART):
                yield Part(names, len(names))

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield the files of these rows."""
        for row in names:
            key, label, split = json.loads(row)
            item = Item(key, label, split, place=key)
            try:
                yield item, self.read(key)
            except (OSError, ReadError) as error:
                yield item, error

    def read(self, place: str) -> bytes:
        """Return a file's bytes."""
        path = self._path(place)
        if files.is_odd(path):
            raise ReadError("a folder, a pipe or a device")
        try:
            with files.open_file(path) as file:
                return file.read(self.preprocess.max_bytes + 1)
        except ValueError as error:  # Beam's, for a scheme without a file system
            raise ReadError(str(error)) from None

    def _path(self, key: str) -> str:
        prefix = next(prefix for prefix in self.tables if key.startswith(prefix))
        path, folder = key[len(prefix) :], os.path.dirname(self.tables[prefix])
        if files.is_remote(path):
            return path
        return path if os.path.isabs(path) else files.path_in(folder or ".", path)


def _rows(path: str) -> Iterator[_Row]:
    separator = _SEPARATORS[_ending(path)]
    try:
        with files.open_file(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
            lines = _lines(text, path)
            yield from _json_rows(lines, path) if separator is None else _separated_rows(lines, path, separator)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, found bytes that are not ({error.reason})") from None
    except OSError as error:
        raise DataError(f"{path}: expected a table that can be read, found {error}") from None


def _lines(text: io.TextIOWrapper, path: str) -> Iterator[str]:
    number = 0
    while line := text.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE:
            raise DataError(f"{path}, line {number}: expected less than {_MAX_LINE:,} characters, found more")
        yield line


def _separated_rows(lines: Iterator[str], path: str, separator: str) -> Iterator[_Row]:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    header: list[str] | None = None
    try:
        for values in reader:
            line_name = f"{path}, line {reader.line_num}"
            if header is None:
                header = [name.strip() for name in values]
                if header.count("path") != 1:
                    raise DataError(
                        f"{line_name}: expected a header with a column path, and label and split if there are, "
                        f"found {', '.join(header) or 'nothing'}"
                    )
            elif len(values) > len(header):
                raise DataError(
                    f"{line_name}: expected {len(header)} values, found {len(values)}; quote what holds commas"
                )
            elif values:  # an empty line has none
                row = dict(zip(header, values, strict=False))
                yield _row(row.get("path"), row.get("label") or None, row.get("split"), line_name)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: expected a row of values, found {error}") from None
    if header is None:
        raise DataError(f"{path}: expected a header with a column path, found an empty file")


def _json_rows(lines: Iterator[str], path: str) -> Iterator[_Row]:
    for number, line in enumerate(lines, start=1):
        line_name = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{line_name}: expected a JSON object, found something else ({error})") from None
        if not isinstance(row, dict):
            raise DataError(f"{line_name}: expected a JSON object with a path, found {type(row).__name__}")
        yield _row(row.get("path"), row.get("label"), row.get("split"), line_name)


def _row(path: object, label: object, split: object, line_name: str) -> _Row:
    if not isinstance(path, str) or not path.strip():
        raise DataError(f"{line_name}: expected a path, found {'none' if path in (None, '') else repr(path)}")
    if "\0" in path or path != path.encode("utf-8", "replace").decode():
        raise DataError(f"{line_name}: expected a path, found characters that no path has in {path!r}")
    word = split if split is not None else ""
    if not isinstance(word, str) or (word.strip() and word.strip().lower() not in SPLIT_WORDS):
        raise DataError(f"{line_name}: expected {_one_of(SPLIT_WORDS)} as split, or nothing, found {split!r}")
    try:
        return _Row(path, label_text(label), SPLIT_WORDS.get(word.strip().lower()))
    except ValueError as error:
        raise DataError(f"{line_name}: {error}") from None


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _one_of(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"
