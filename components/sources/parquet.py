"""Parquet files with a column of images, as in Hugging Face's data sets."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from components.sources import files
from components.sources.annotations import label_text, split_in, splits_if_divided
from components.sources.base import NAMES_PER_PART, Item, Part, RawImage, ReadError, Source, SourceImage, own_split
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ParquetSource

if TYPE_CHECKING:  # imported below where it is needed, because commands like status open sources too
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS = 8  # decoded at a time; more could be much memory, as a dictionary can repeat one large image in many rows
_BUFFER = 1 << 20


class _Columns(NamedTuple):
    """The columns that are read, and the words for labels that are numbers."""

    image: str
    label: str | None
    words: list[str]


class Parquet(Source):
    """Rows of Parquet files, keyed `<file>#<row>`, with a column of bytes or of structs `{bytes, path}`.

    Files are read page by page, so a row group may be of any size. Memory holds one page of each column (pyarrow writes
    1,024 rows to a page, of any size) and a few rows. Pages cannot be looked up, so images have no place.
    """

    settings: ParquetSource

    def __init__(self, settings: ParquetSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self.files = files.find_files(settings, endings=(".parquet",))

    def digest(self) -> str:
        """Return the sha256 over the names and contents of all files."""
        lines = (f"{files.name_in(self.root, path)}\0{files.digest_of(path)}\n" for path in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield row groups of a file, together at least a thousand rows except at its end."""
        for path in self.files:
            with _open_file(path) as file:
                self._columns(file.schema_arrow, path)  # reports a wrong column before anything is read
                counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            name = files.name_in(self.root, path)
            first = rows = 0
            for group, count in enumerate(counts):
                rows += count
                if rows >= NAMES_PER_PART or group == len(counts) - 1:
                    yield Part([name, str(first), str(group + 1)], rows)
                    first, rows = group + 1, 0

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield images in the file's order, without looking into their bytes."""
        name, first, stop = names[0], int(names[1]), int(names[2])
        path = files.path_in(self.root, name)
        with _open_file(path) as file:
            columns = self._columns(file.schema_arrow, path)
            number = sum(file.metadata.row_group(group).num_rows for group in range(first))
            column_names = [columns.image, *([columns.label] if columns.label else [])]
            row_groups = range(first, stop)
            for batch in file.iter_batches(_ROWS, row_groups=row_groups, columns=column_names, use_threads=False):
                values = batch.column(columns.image).to_pylist()
                labels = batch.column(columns.label).to_pylist() if columns.label else [None] * len(values)
                for value, label in zip(values, labels, strict=True):
                    key = f"{name}#{number:06d}"
                    split = own_split(key, self.settings.test) or self._splits[name]
                    yield Item(key, _label(label, columns.words), split), self._image(value)
                    number += 1

    def read(self, place: str) -> RawImage:
        """Refuse: no image has a place."""
        raise ReadError(f"an image of a Parquet file has no place, found {place}")

    def _image(self, value: Any) -> bytes | ReadError:
        data = value.get("bytes") if isinstance(value, dict) else value
        if data is not None:
            return bytes(data[: self.preprocess.max_bytes + 1])
        path = value.get("path") if isinstance(value, dict) else None
        return ReadError(f"the row holds only a path, {path!r}, and no bytes" if path else "the row holds no image")

    @cached_property
    def _splits(self) -> dict[str, str | None]:
        return splits_if_divided(
            {files.name_in(self.root, path): split_in(os.path.basename(path)) for path in self.files}
        )

    def _columns(self, schema: pa.Schema, path: str) -> _Columns:
        image = self.settings.image
        contents = ", ".join(schema.names) or "none"
        if schema.names.count(image) != 1:
            raise UsageError(
                f"sources.image: expected the column of images, found no {image!r} in {path}; it has {contents}"
            )
        if not _holds_bytes(schema.field(image).type):
            raise UsageError(
                f"sources.image: expected a column of bytes, or of structs with bytes, "
                f"found {image!r} of type {schema.field(image).type} in {path}; it has {contents}"
            )
        label = self.settings.label or next((name for name in ("label", "text") if name in schema.names), "none")
        if label == "none":
            return _Columns(image, None, [])
        if schema.names.count(label) != 1:
            raise UsageError(
                f"sources.label: expected a column of labels, found no {label!r} in {path}; it has {contents}"
            )
        if not _holds_labels(schema.field(label).type):
            raise UsageError(
                f"sources.label: expected a column of text or numbers, or none, "
                f"found {label!r} of type {schema.field(label).type} in {path}"
            )
        return _Columns(image, label, _class_names(schema, label))


@contextmanager
def _open_file(path: str) -> Iterator[pq.ParquetFile]:
    """Open a file with a buffer size: without one, pyarrow reads a column's whole row group at once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            files.open_file(path) as raw,
            pq.ParquetFile(raw, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True) as file,
        ):
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: expected a whole Parquet file, found something else ({reason[:200]})") from None


def _holds_bytes(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _holds_labels(kind: pa.DataType) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    text = (types.is_string, types.is_large_string, types.is_string_view)
    return any(test(kind) for test in (*text, types.is_boolean, types.is_integer, types.is_floating))


def _class_names(schema: pa.Schema, label: str) -> list[str]:
    """Return the words of a column of Hugging Face's type ClassLabel; none for other columns."""
    try:
        description = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = description["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _label(value: Any, words: list[str]) -> str | None:
    if words and isinstance(value, int) and value < len(words):
        return words[value] if value >= 0 else None  # Hugging Face marks images without a label by -1
    return label_text(value)
