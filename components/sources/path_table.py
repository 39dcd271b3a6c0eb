"""A table that lists image files, with their labels and splits: CSV, TSV, JSONL or Parquet, in the spellings that people use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import IO, Literal, NamedTuple

from components.sources import columns
from components.sources.annotations import (
    SPLIT_WORDS,
    label_text,
    remark_on_evaluation,
    splits_of_words,
    whole_number,
)
from components.sources.columns import nearly_all_differ
from components.sources.split_columns import SplitColumns, remarks_on_choice
from components.sources.table_records import Record, read_records
from schemas.errors import DataError, UsageError

_MAX_DISTINCT = 100_000  # different labels that are counted
_MISSING = ("", "nan", "na", "none", "null")  # how tools write a missing number
_FIRST = 100  # rows that tell in which folder the files are
_MANY = 60  # columns: no table of paths has so many, and the smallest images in rows have more
_OTHER_SPLIT = "`split: …` takes another, and `split: none` none"
_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


class Row(NamedTuple):
    """A row of a table: the path as a path of this machine, from the table's folder; label and split, if it has them."""

    path: str
    label: str | None
    split: str | None


class _Columns(NamedTuple):
    path: str
    label: str | None
    split: str | None


@dataclass
class _Facts:
    """What only the whole table says: each column must be read in one way."""

    columns: _Columns
    names: list[str]
    images: int = 0
    unlabelled: int = 0
    labels: set[str] = field(default_factory=set)
    numbers: bool = False  # a label is a whole number
    words: bool = False  # a label is neither that nor a missing number
    splits: set[str] = field(default_factory=set)  # words, in small letters
    other_split: str | None = None  # the first value of the split's column that is none of these
    others: int = 0  # rows with such a value
    backslash: str | None = None  # the first path with one

    def see(self, row: Row) -> None:
        """Look at the next row, as it is written."""
        self.images += 1
        if row.split and row.split in SPLIT_WORDS:
            self.splits.add(row.split)
        elif row.split:
            self.others += 1
            self.other_split = self.other_split or row.split
        if self.backslash is None and "\\" in row.path:
            self.backslash = row.path
        if row.label is None:
            self.unlabelled += 1
            return
        if whole_number(row.label) is not None:
            self.numbers = True
        elif row.label.strip().lower() not in _MISSING:
            self.words = True
        if len(self.labels) < _MAX_DISTINCT:
            self.labels.add(row.label)

    @property
    def holds_out(self) -> bool:
        """Whether a word of the split's column says that images are for validation or test."""
        return any(SPLIT_WORDS[word] != "train" for word in self.splits)


class PathTable:
    """A table of paths. It is read to see which columns say splits, then how all are written, and then row by row.

    Args:
        name: Its path, for its ending and for messages.
        open_it: Opens its bytes for reading; a Parquet table must be seekable.
        image: The column of paths; None finds one of `columns.PATHS`.
        label: The column of labels; None finds one of `columns.LABELS`, and `none` takes none.
        split: The column of splits; None finds one by its name or its values, and `none` takes none.
        is_file: Whether a path of the table is a file as it is written, with its backslashes. Otherwise they separate folders.
        only_splits: Whether a column `split` with other words is an error. Otherwise these images are for training if there are
            words for validation or test, too; or else the column is not used.
    """

    def __init__(
        self,
        name: str,
        open_it: Callable[[], IO[bytes]],
        *,
        image: str | None = None,
        label: str | None = None,
        split: str | None = None,
        is_file: Callable[[str], bool] = lambda path: False,
        only_splits: bool = True,
    ) -> None:
        self.name = name
        self._open = open_it
        self._settings = _Columns(image or "", label, split)
        self._is_file = is_file
        self._only_splits = only_splits

    def rows(self) -> Iterator[Row]:
        """Yield all rows.

        Raises:
            DataError: The table cannot be read, or has a wrong header or row.
            UsageError: A setting names a column that it does not have.
        """
        facts, chosen = self._facts, self._columns
        splits = splits_of_words(facts.splits)
        separators = facts.backslash is not None and not self._is_file(facts.backslash)
        numbers = facts.numbers and not facts.words
        for row in self._rows_as_written(chosen):
            path = row.path.replace("\\", "/") if separators else row.path
            label = whole_number(row.label) if numbers and row.label is not None else row.label
            yield Row(path, label, splits.get(row.split, "train") if row.split else None)

    def first_paths(self) -> list[str]:
        """Return the first paths, with `/` between folders, without reading the rest.

        Raises:
            DataError, UsageError: As for `rows`.
        """
        _, header = next(self._records())
        rows = self._rows_as_written(_Columns(self._path_column(list(header)), None, None))
        return [row.path.replace("\\", "/") for row in islice(rows, _FIRST)]

    def remarks(self) -> list[str]:
        """Return sentences on how the table was understood where another reading is plausible."""
        facts, chosen, settings = self._facts, self._columns, self._settings
        remarks = []
        others = [name for name in columns.named(facts.names, columns.PATHS) if name != chosen.path]
        if others and not settings.path:
            remarks.append(f"`{chosen.path}` was taken as the column of paths; `image: {others[0]}` takes another.")
        if settings.label is None:
            remarks += self._remarks_on_label(facts, chosen)
        if facts.columns.split and not chosen.split:
            remarks.append(
                f"`{facts.columns.split}` was not taken as the split, because it holds {facts.other_split!r:.40}; write train, "
                "validation or test instead."
            )
        if facts.others and chosen.split:
            remarks.append(
                f"`{chosen.split}` holds {facts.other_split!r:.40}, which is no split: {facts.others:,} such images are "
                "taken for training."
            )
        if chosen.split:
            other = f"for another, write train, validation or test in `{chosen.split}`, or set `split: none`"
            remarks += remark_on_evaluation(facts.splits, other=other)
            if settings.split is None:
                remarks += remarks_on_choice(chosen.split, self._split_columns.dividing, none=_OTHER_SPLIT)
        elif settings.split is None and not facts.columns.split:
            remarks += self._split_columns.remarks()
        return remarks

    def _remarks_on_label(self, facts: _Facts, chosen: _Columns) -> list[str]:
        usual = [name for name in columns.named(facts.names, columns.LABELS) if name != chosen.path]
        if chosen.label is None and facts.columns.label is not None:
            return [
                f"Nearly every `{facts.columns.label}` is another ({len(facts.labels):,} in {facts.images:,} images), so it was "
                f"not taken as the label; `label: {facts.columns.label}` takes it."
            ]
        if chosen.label is None:
            rest = [f"`{name}`" for name in facts.names if name and name not in (chosen.path, chosen.split)]
            return (
                [f"No column was taken as the label; `label: …` takes one, of {', '.join(rest):.200}."] if rest else []
            )
        others = [name for name in usual if name != chosen.label]
        return [f"`{chosen.label}` was taken as the label; `label: {others[0]}` takes another."] if others else []

    @cached_property
    def _columns(self) -> _Columns:
        """The columns, without a guess that their values contradict."""
        facts, settings = self._facts, self._settings
        label, split = facts.columns.label, facts.columns.split
        guessed = settings.label is None and label is not None and columns.plain(label) != "label"
        if guessed and nearly_all_differ(len(facts.labels), values=facts.images - facts.unlabelled):
            label = None
        mixed = not self._only_splits and facts.holds_out
        return _Columns(facts.columns.path, label, None if facts.other_split and not mixed else split)

    @cached_property
    def _facts(self) -> _Facts:
        """Read the table through, and check every row."""
        _, header = next(self._records())
        facts = _Facts(self._choose(list(header)), list(header))
        named = self._settings.split is not None or columns.plain(facts.columns.split or "") == "split"
        for row in self._rows_as_written(facts.columns, strict=named and self._only_splits):
            facts.see(row)
        return facts

    def _rows_as_written(self, chosen: _Columns, *, strict: bool = False) -> Iterator[Row]:
        """Yield rows with labels as they are written, and splits in small letters.

        Args:
            chosen: The columns.
            strict: Whether another word than those of `SPLIT_WORDS` is an error.
        """
        for place, record in islice(self._records(), 1, None):
            try:
                path = _path(record.get(chosen.path))
                label = label_text(record.get(chosen.label)) if chosen.label else None
                split = _split(record.get(chosen.split), strict=strict) if chosen.split else None
            except ValueError as error:
                raise DataError(f"{place}: {error}") from None
            yield Row(path, label, split)

    def _choose(self, names: list[str]) -> _Columns:
        """Choose columns by the settings, or by their names."""
        path = self._path_column(names)
        split = self._split_column(names, path)
        label = self._of_setting("label", names) if self._settings.label is not None else None
        if self._settings.label is None:
            label = next((name for name in columns.named(names, columns.LABELS) if name not in (path, split)), None)
        return _Columns(path, label, split)

    def _path_column(self, names: list[str]) -> str:
        image = self._settings.path
        header = ", ".join(name for name in names if name) or "nothing"
        path = (
            columns.column_of_setting(image, names) if image else next(iter(columns.named(names, columns.PATHS)), None)
        )
        if path is None and image:
            raise UsageError(f"sources.image: expected a column of {self.name}, found {image!r}; it has {header}")
        if path is None:
            raise DataError(
                f"{self.name}, line 1: expected a header with a column of paths (path, file_name, filename or image), found "
                f"{header[:200]}; {_advice(names)}"
            )
        return path

    def _split_column(self, names: list[str], path: str) -> str | None:
        """Return the column of splits: a usual name with words for splits, else any column with nothing but these."""
        if self._settings.split is not None:
            return self._of_setting("split", names)
        usual = [name for name in columns.named(names, columns.SPLITS) if name != path]
        if usual and self._only_splits and columns.plain(usual[0]) == "split":
            return usual[0]
        return next(iter([*self._split_columns.dividing, *usual]), None)

    def _of_setting(self, key: Literal["label", "split"], names: list[str]) -> str | None:
        setting = getattr(self._settings, key)
        column = None if setting == "none" else columns.column_of_setting(setting, names)
        if column is None and setting != "none":
            header = ", ".join(name for name in names if name) or "nothing"
            raise UsageError(
                f"sources.{key}: expected a column of {self.name}, or none, found {setting!r}; it has {header}"
            )
        return column

    @cached_property
    def _split_columns(self) -> SplitColumns:
        """What the values of all columns say of splits, but of the paths and those that are labels by a name or a setting."""
        records = self._records()
        names = list(next(records)[1])
        labels = columns.named(names, ("label",))
        if self._settings.label is not None:
            labels = [name for name in [self._of_setting("label", names)] if name]
        found = SplitColumns(name for name in names if name not in (*labels, self._path_column(names)))
        for _, record in records:
            found.see(record)
            if not found.undecided:
                break
        return found

    def _records(self) -> Iterator[Record]:
        return read_records(self.name, self._open, image=self._settings.path)


def _path(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a path, found {'none' if value in (None, '') else repr(value)}")
    if "\0" in value or value != value.encode("utf-8", "replace").decode():
        raise ValueError(f"expected a path, found characters that no path has in {value!r}")
    return value


def _split(value: object, *, strict: bool) -> str | None:
    if value is None or value == "":
        return None
    word = value.strip().lower() if isinstance(value, str) else str(value)
    if strict and word and word not in SPLIT_WORDS:
        *others, last = SPLIT_WORDS
        raise ValueError(
            f"expected {', '.join(others)} or {last} as split, or nothing, found {value!r}; or set split: none"
        )
    return word or None


def _advice(names: Sequence[str]) -> str:
    if any(name.lower().endswith(_IMAGE_ENDINGS) for name in names):
        return "put a line such as path,label before it"
    if len(names) > _MANY or "pixels" in map(columns.plain, names):
        return "if its rows are pixels, write them as an array, .npy"
    return "name it by sources.image"
