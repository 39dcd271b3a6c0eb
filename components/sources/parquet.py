"""Parquet files with a column of images, as in Hugging Face's data sets, or of their paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from components.sources import files
from components.sources import parquet_columns as columns
from components.sources.annotations import (
    label_text,
    remark_on_evaluation,
    split_word_of_path,
    splits_of_words,
)
from components.sources.base import NAMES_PER_PART, Item, Part, RawImage, ReadError, Source, SourceImage, own_split
from components.sources.columns import LABELS, SPLITS, named, nearly_all_differ
from components.sources.listed_file import ListedFiles
from components.sources.parquet_columns import names_files
from components.sources.parquet_file import open_parquet, schema_of
from components.sources.shard_splits import remark_on_others, splits_of_shards
from components.sources.split_columns import SplitColumns, remarks_on_choice
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ParquetSource

if TYPE_CHECKING:  # imported below where it is needed, because commands like status open sources too
    import pyarrow as pa

_ROWS = 8  # decoded at a time; more could be much memory, as a dictionary can repeat one large image in many rows
_FIRST = 100  # rows that tell in which folder the files are
_SAMPLE = 10_000  # rows that tell whether a column's values repeat


class _Columns(NamedTuple):
    """The columns that are read."""

    image: str
    label: str | None
    split: str | None


class Parquet(Source):
    """Rows of Parquet files, keyed `<file>#<row>`, with a column of bytes, of structs `{bytes, path}`, or of paths.

    Files are read page by page, so a row group may be of any size. Memory holds one page of each column (pyarrow writes
    1,024 rows to a page, of any size) and a few rows. Pages cannot be looked up, so images have no place. Of several files,
    those without a column of images are not read if others have one.
    """

    settings: ParquetSource

    def __init__(self, settings: ParquetSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self._all_files = files.find_files(settings, endings=(".parquet",))
        self._listed_of: dict[str, ListedFiles] = {}

    @cached_property
    def files(self) -> list[str]:
        """The files that are read."""
        if len(self._all_files) == 1:
            return self._all_files
        schemas = {path: schema_of(path) for path in self._all_files}
        pictures = [path for path, schema in schemas.items() if columns.holds_pictures(schema)]
        return (
            pictures or [path for path, schema in schemas.items() if columns.image_columns(schema)] or self._all_files
        )

    def digest(self) -> str:
        """Return the sha256 over the names and contents of all files, and over the contents of the images that rows name."""
        total = hashlib.sha256()
        for path in self.files:
            total.update(f"{files.name_in(self.root, path)}\0{files.digest_of(path)}\n".encode())
        for digest in files.digests(self._named_files()):
            total.update(f"{digest}\n".encode())
        return total.hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield row groups of a file, together at least a thousand rows except at its end."""
        for path in self.files:
            with open_parquet(path) as file:
                chosen = self._columns(file.schema_arrow, path)
                counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            name = files.name_in(self.root, path)
            names = [name, self._splits[name] or "", chosen.image, chosen.label or "", chosen.split or ""]
            first = rows = 0
            for group, count in enumerate(counts):
                rows += count
                if rows >= NAMES_PER_PART or group == len(counts) - 1:
                    yield Part([*names, str(first), str(group + 1)], rows)
                    first, rows = group + 1, 0

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield images in the file's order, without looking into their bytes."""
        path = files.path_in(self.root, names[0])
        for item, value in self._rows(names):
            yield item, self._image(value, path, item.split)

    def _rows(self, names: list[str]) -> Iterator[tuple[Item, Any]]:
        """Yield the rows of a part: each with its value in the column of images."""
        name, file_split, image, label, split = names[:5]
        first, stop = map(int, names[5:])
        path = files.path_in(self.root, name)
        with open_parquet(path) as file:
            words = columns.class_names(file.schema_arrow, label)
            number = sum(file.metadata.row_group(group).num_rows for group in range(first))
            row_groups, column_names = range(first, stop), [column for column in (image, label, split) if column]
            for batch in file.iter_batches(_ROWS, row_groups=row_groups, columns=column_names, use_threads=False):
                images = batch.column(image).to_pylist()
                labels = batch.column(label).to_pylist() if label else [None] * len(images)
                splits = batch.column(split).to_pylist() if split else [None] * len(images)
                for value, number_or_text, word in zip(images, labels, splits, strict=True):
                    key = f"{name}#{number:06d}"
                    own = own_split(key, self.settings.test, self.settings.validation) or file_split or None
                    if word is not None:
                        own = self._split_of_word.get(_word(word), own)
                    text = label_text(columns.word_of(number_or_text, words))
                    yield Item(key, text, own), value
                    number += 1

    def read(self, place: str) -> RawImage:
        """Refuse: no image has a place."""
        raise ReadError(f"an image of a Parquet file has no place, found {place}")

    def remarks(self) -> list[str]:
        """Return sentences on the columns and files that were chosen, and on those that were not."""
        path = self.files[0]
        schema = schema_of(path)
        chosen = self._columns(schema, path)
        remarks = []
        if unread := [files.name_in(self.root, path) for path in self._all_files if path not in self.files]:
            remarks.append(f"Files without a column of images are not read: {', '.join(unread):.200}.")
        others = [name for name in columns.image_columns(schema) if name != chosen.image]
        if self._image_setting is None and others:
            remarks.append(f"`{chosen.image}` was taken as the images; `image: {others[0]}` takes another column.")
        if self.settings.label is None:
            remarks += self._remarks_on_label(schema, chosen)
        if columns.holds_text(schema.field(chosen.image).type):
            remarks += [remark for path in self.files for remark in self._listed(path).remarks()]
        if not self._has_patterns:
            remarks += remark_on_others(self._words, self._splits, other="`test: [...]` names other test images")
            words = {word for word in self._words.values() if word} if any(self._splits.values()) else set()
            words |= set(self._split_of_word)
            remarks += remark_on_evaluation(words, other="`test: [...]` names other test images")
            remarks += self._remarks_on_split()
        return remarks

    def _remarks_on_split(self) -> list[str]:
        found = self._split_columns
        if self._split_column:
            return remarks_on_choice(
                self._split_column, found.dividing, none="`test: [...]` names the test images otherwise"
            )
        return [
            f"`{column}` was not taken as the split, because it holds {found.others[column]!r:.40}; write train, validation "
            "or test instead."
            for column in named(found.others, SPLITS)[:1]
        ] or found.remarks()

    def _remarks_on_label(self, schema: pa.Schema, chosen: _Columns) -> list[str]:
        remarks = [
            f"Nearly every `{column}` is another ({distinct:,} in {values:,} images), so it was not taken as the label; "
            f"`label: {column}` takes it."
            for column, (distinct, values) in self._repeats.items()
            if nearly_all_differ(distinct, values=values)
        ]
        others = [name for name in columns.label_columns(schema) if name not in (*chosen, *self._repeats)]
        if chosen.label and others:
            remarks.append(f"`{chosen.label}` was taken as the label; `label: {others[0]}` takes another column.")
        rest = columns.other_columns(schema, [*chosen, *self._repeats])
        if not chosen.label and not remarks and rest:
            names = ", ".join(f"`{name}`" for name in rest)
            remarks.append(f"No column was taken as the label; `label: …` takes one, of {names:.200}.")
        single = [field for field in schema if schema.names.count(field.name) == 1]
        unfit = {field.name: field.type for field in single if not columns.holds_labels(field.type)}
        for name in named(unfit, LABELS)[:1] if not chosen.label else []:
            remarks.append(
                f"`{name}` was not taken as the label: expected one text or number, found {unfit[name]!s:.60}."
            )
        return remarks

    def _image(self, value: Any, path: str, split: str | None) -> bytes | ReadError | OSError:
        data = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(data, bytes):
            return data[: self.preprocess.max_bytes + 1]
        name = _name(value)
        if not name:
            return ReadError("the row holds no image")
        try:
            return self._listed(path).read(name, split, max_bytes=self.preprocess.max_bytes)
        except (OSError, ReadError, ValueError) as error:  # ValueError: a null character
            return error if not isinstance(error, ValueError) else ReadError(str(error))

    def _named_files(self) -> Iterator[str]:
        """Yield the paths of the image files that rows name, in the rows' order."""
        by_name = {files.name_in(self.root, path): path for path in self.files if self._names_files(path)}
        for part in self.parts() if by_name else ():
            if path := by_name.get(part.names[0]):
                listed = self._listed(path)
                for item, value in self._rows(part.names):
                    name = None if isinstance(value, dict) and value.get("bytes") else _name(value)
                    if name and "\0" not in name:  # which no path has
                        yield listed.path(listed.find(name, item.split))

    def _names_files(self, path: str) -> bool:
        try:
            with open_parquet(path) as file:
                return names_files(file, columns.image_column(file.schema_arrow, self._image_setting, path=path))
        except (DataError, UsageError):
            return False  # ingest says so

    def _listed(self, path: str) -> ListedFiles:
        """Return the files that a Parquet file's rows name."""
        if path not in self._listed_of:
            self._listed_of[path] = ListedFiles(path, partial(self._first_names, path))
        return self._listed_of[path]

    def _first_names(self, path: str) -> list[str]:
        with open_parquet(path) as file:
            image = columns.image_column(file.schema_arrow, self._image_setting, path=path)
            count = _FIRST if columns.holds_text(file.schema_arrow.field(image).type) else _ROWS
            batch = next(file.iter_batches(count, columns=[image], use_threads=False), None)
        return [name for value in (batch.column(0).to_pylist() if batch else ()) if (name := _name(value))]

    @property
    def _image_setting(self) -> str | None:
        """The column of images that the recipe names; None for the usual name, which other columns can stand in for."""
        usual = type(self.settings).model_fields["image"].default
        return None if self.settings.image == usual else self.settings.image

    @property
    def _has_patterns(self) -> bool:
        return bool(self.settings.test or self.settings.validation)

    @cached_property
    def _words(self) -> dict[str, str | None]:
        """The split word in each file's name, or in a folder's."""
        names = [files.name_in(self.root, path) for path in self.files]
        return {name: split_word_of_path(name) for name in names}

    @cached_property
    def _splits(self) -> dict[str, str | None]:
        return splits_of_shards(self._words)

    @cached_property
    def _split_column(self) -> str | None:
        """The column that says the split of each row, if there is one."""
        return next(iter(self._split_columns.dividing), None)

    @cached_property
    def _split_of_word(self) -> dict[str, str]:
        """The split of each word in the column of splits."""
        return splits_of_words(self._split_columns.words(self._split_column)) if self._split_column else {}

    @cached_property
    def _split_columns(self) -> SplitColumns:
        """What the values of all columns say of splits, where neither patterns nor names of files do."""
        if self._has_patterns or any(self._splits.values()):
            return SplitColumns(())
        return columns.seen_split_columns(self.files, label=self.settings.label)

    @cached_property
    def _repeats(self) -> dict[str, tuple[int, int]]:
        """The numbers of different values and of all values, of each column whose values tell whether it is labels."""
        counts: dict[str, tuple[int, int]] = {}
        if self.settings.label is not None:
            return counts
        path = self.files[0]
        with open_parquet(path) as file:
            for column in columns.label_columns(file.schema_arrow):
                if column == self._split_column:
                    continue
                if columns.is_sure(file.schema_arrow, column):
                    break
                batches = file.iter_batches(NAMES_PER_PART, columns=[column], use_threads=False)
                rows = (value for batch in batches for value in batch.column(0).to_pylist())
                sample = [value for value in islice(rows, _SAMPLE) if value is not None]
                counts[column] = (len(set(sample)), len(sample))
                if not nearly_all_differ(counts[column][0], values=counts[column][1]):
                    break
        return counts

    def _columns(self, schema: pa.Schema, path: str) -> _Columns:
        image = columns.image_column(schema, self._image_setting, path=path)
        if self.settings.label is not None:
            label = columns.named_label(schema, self.settings.label, path=path)
        else:
            differ = {
                name for name, (distinct, values) in self._repeats.items() if nearly_all_differ(distinct, values=values)
            }
            no_labels = {image, self._split_column, *differ}
            likely = [name for name in columns.label_columns(schema) if name not in no_labels]
            label = next(iter(likely), None)
        return _Columns(image, label, self._split_column if self._split_column in schema.names else None)


def _name(value: Any) -> str | None:
    """Return the path of a row's image; None if it has none."""
    name = value.get("path") if isinstance(value, dict) else value
    return name if isinstance(name, str) and name else None


def _word(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""
