"""Tables of paths: CSV, TSV, JSONL or Parquet files that list images, their labels and their splits."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import partial
from itertools import tee

from components.sources import files
from components.sources.annotations import remark_on_evaluation, split_word_of_path, splits_by_word
from components.sources.base import NAMES_PER_PART, Item, Part, ReadError, Source, SourceImage, chunks
from components.sources.listed_file import ListedFiles
from components.sources.path_table import PathTable
from components.sources.table_records import ENDINGS
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import TableSource


class Table(Source):
    """All images that a table lists, in its order, keyed by their paths as the table writes them.

    A path counts from the table's folder, unless it begins with `/` or has a scheme, such as `gs://`. It may lead anywhere,
    also by `..` and links, because the author of the table chose it. If no file is there, a folder beside the table is
    looked into, too. If the path of the source stands for several tables, keys begin with the table's name; and if some
    tables are named after one split and others after another, these are the splits of rows that say none.
    """

    settings: TableSource

    def __init__(self, settings: TableSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        root, paths = files.find(settings)
        for path in paths:
            if os.path.splitext(path)[1].lower() not in ENDINGS or files.is_folder(path):
                *others, last = ENDINGS
                raise UsageError(f"sources.path: kind table expects {', '.join(others)} or {last} files, found {path}")
        prefixes = [""] if len(paths) == 1 else [f"{files.name_in(root, path)}/" for path in paths]
        self.paths = dict(zip(prefixes, paths, strict=True))
        self._words = {prefix: split_word_of_path(prefix.rstrip("/")) for prefix in prefixes}
        self._splits = splits_by_word(self._words) if settings.split != "none" else dict.fromkeys(prefixes)
        self._listed: dict[str, ListedFiles] = {}
        self._tables: dict[str, PathTable] = {}
        for prefix, path in self.paths.items():
            self._tables[prefix] = table = self._table(prefix, path)
            self._listed[prefix] = ListedFiles(path, table.first_paths)

    def _table(self, prefix: str, path: str) -> PathTable:
        return PathTable(
            path,
            partial(files.open_file, path),
            image=self.settings.image,
            label=self.settings.label,
            split=self.settings.split,
            is_file=lambda name: files.is_file(self._path(f"{prefix}{name}")),
        )

    def digest(self) -> str:
        """Return the sha256 over every listed file's name, content, label and split."""
        total = hashlib.sha256()
        rows, same_rows = tee(row for part in self.parts() for row in part.names)
        for row, sha256 in zip(
            rows, files.digests(self._path(*json.loads(row)[::2]) for row in same_rows), strict=True
        ):
            total.update(f"{row}\0{sha256}\n".encode())
        return total.hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield parts of a thousand rows each.

        Raises:
            DataError: A table cannot be read, or has a wrong header or row.
        """
        for prefix, table in self._tables.items():
            own = self._splits[prefix]
            rows = (json.dumps([f"{prefix}{row.path}", row.label, row.split or own]) for row in table.rows())
            for names in chunks(rows, NAMES_PER_PART):
                yield Part(names, len(names))

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield the files of these rows."""
        for row in names:
            key, label, split = json.loads(row)
            prefix, name = self._divided(key)
            listed = self._listed[prefix]
            item = Item(key, label, split, place=f"{prefix}{listed.find(name, split)}")
            try:
                yield item, listed.read(name, split, max_bytes=self.preprocess.max_bytes)
            except (OSError, ReadError) as error:
                yield item, error

    def read(self, place: str) -> bytes:
        """Return a file's bytes."""
        with files.open_file(self._path(place)) as file:
            return file.read(self.preprocess.max_bytes + 1)

    def remarks(self) -> list[str]:
        """Return sentences on how the tables' columns, names and files were understood."""
        remarks = [remark for table in self._tables.values() for remark in table.remarks()]
        remarks += [remark for listed in self._listed.values() for remark in listed.remarks()]
        if any(self._splits.values()):
            words = {word for word in self._words.values() if word}
            remarks += remark_on_evaluation(words, other="for another, rename the table, or set `split: none`")
        return list(dict.fromkeys(remarks))

    def _path(self, key: str, split: str | None = None) -> str:
        prefix, name = self._divided(key)
        listed = self._listed[prefix]
        return listed.path(listed.find(name, split))

    def _divided(self, key: str) -> tuple[str, str]:
        """Return the table's part of a key, and the name in the table."""
        prefix = next(prefix for prefix in self.paths if key.startswith(prefix))
        return prefix, key[len(prefix) :]
