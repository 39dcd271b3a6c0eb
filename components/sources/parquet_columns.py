"""Which columns of a Parquet file are the images, their labels and their splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from components.sources.base import NAMES_PER_PART
from components.sources.columns import LABELS, PATHS, column_of_setting, named, plain
from components.sources.parquet_file import open_parquet, schema_of
from components.sources.split_columns import SplitColumns
from schemas.errors import UsageError

if TYPE_CHECKING:  # imported below where it is needed, because commands like status open sources too
    import pyarrow as pa
    import pyarrow.parquet as pq

_IMAGES = ("image", "img", "picture", "photo", "jpg", "png")  # the usual names, where several columns could be it
_FEW = 8  # rows
_TEXT = "text"  # labels or captions: only their values tell


def image_column(schema: pa.Schema, setting: str | None, *, path: str) -> str:
    """Return the column of images.

    Raises:
        UsageError: There is no such column.
    """
    contents = ", ".join(schema.names) or "none"
    if setting is None:
        if columns := image_columns(schema):
            return columns[0]
        raise UsageError(
            f"sources.image: expected a column of images (bytes, or structs with bytes) or of their paths, found none in "
            f"{path}; it has {', '.join(f'{field.name} ({field.type!s:.60})' for field in schema)[:300] or 'none'}"
        )
    column = column_of_setting(setting, schema.names)
    if column is None or schema.names.count(column) != 1:
        raise UsageError(
            f"sources.image: expected the column of images, found no {setting!r} in {path}; it has {contents}"
        )
    kind = schema.field(column).type
    if not holds_bytes(kind) and not holds_text(kind):
        raise UsageError(
            f"sources.image: expected a column of bytes, of structs with bytes, or of paths, "
            f"found {column!r} of type {kind} in {path}; it has {contents}"
        )
    return column


def image_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that may be images, the likeliest first: pictures as structs or bytes, else paths by their names."""
    single = [field for field in schema if schema.names.count(field.name) == 1]
    pictures = [field.name for field in single if holds_bytes(field.type) and _is_struct(field.type)]
    pictures = pictures or [field.name for field in single if holds_bytes(field.type)]
    usual = list(named(pictures, _IMAGES))
    if pictures:
        return [*usual, *(name for name in pictures if name not in usual)]
    return named((field.name for field in single if holds_text(field.type)), PATHS)


def holds_pictures(schema: pa.Schema) -> bool:
    """Return whether a column holds bytes, which may be pictures."""
    return any(holds_bytes(field.type) for field in schema)


def named_label(schema: pa.Schema, setting: str, *, path: str) -> str | None:
    """Return the column of labels that a setting names; None for `none`.

    Raises:
        UsageError: There is no such column, or it cannot be labels.
    """
    if setting == "none":
        return None
    column = column_of_setting(setting, schema.names)
    if column is None or schema.names.count(column) != 1:
        contents = ", ".join(schema.names) or "none"
        raise UsageError(
            f"sources.label: expected a column of labels, found no {setting!r} in {path}; it has {contents}"
        )
    if not holds_labels(schema.field(column).type):
        raise UsageError(
            f"sources.label: expected a column of text or numbers, or none, "
            f"found {column!r} of type {schema.field(column).type} in {path}"
        )
    return column


def label_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that may be labels, the likeliest first.

    These are `label`, the columns of Hugging Face's type ClassLabel (those with more classes first: `fine_label` of CIFAR-100
    goes before `coarse_label`), the other usual names, and `text`.
    """
    names = [field.name for field in schema if schema.names.count(field.name) == 1 and holds_labels(field.type)]
    classes = {name: len(words) for name in names if (words := class_names(schema, name))}
    by_classes = sorted(classes, key=lambda name: -classes[name])
    return list(dict.fromkeys([*named(names, ("label",)), *by_classes, *named(names, (*LABELS, _TEXT))]))


def is_sure(schema: pa.Schema, column: str) -> bool:
    """Return whether a column is labels whatever its values: by the name `label`, or because Hugging Face's type says so."""
    return plain(column) == "label" or bool(class_names(schema, column))


def split_columns(schema: pa.Schema, *, label: str | None) -> list[str]:
    """Return the columns that may say the split of each row: text, or true and false, and no labels for sure.

    Args:
        schema: A file's columns.
        label: The column of labels that a setting names.
    """
    single = [field for field in schema if schema.names.count(field.name) == 1 and holds_labels(field.type)]
    return [
        field.name
        for field in single
        if (plain(field.name) != plain(label) if label is not None else not is_sure(schema, field.name))
    ]


def seen_split_columns(paths: Sequence[str], *, label: str | None) -> SplitColumns:
    """Return what the values of all columns of some files say of splits.

    Args:
        paths: The files.
        label: The column of labels that a setting names.
    """
    schemas = [schema_of(path) for path in paths]
    seen = SplitColumns(dict.fromkeys(name for schema in schemas for name in split_columns(schema, label=label)))
    for path, most in (
        (paths[0], 1),
        *((path, None) for path in paths),
    ):  # a few rows show of most columns what they are
        if not seen.undecided:
            break
        with open_parquet(path) as file:
            names = [name for name in seen.undecided if name in file.schema_arrow.names]
            rows = _FEW if most else NAMES_PER_PART
            batches = file.iter_batches(rows, columns=names, use_threads=False) if names else iter(())
            for batch in islice(batches, most):
                for name in filter(seen.undecided.__contains__, names):
                    for value in batch.column(name).unique().to_pylist():
                        seen.see_value(name, value)
    return seen


def other_columns(schema: pa.Schema, known: Iterable[str | None]) -> list[str]:
    """Return the columns that a person might mean by the label, beside those that are known."""
    known = set(known)
    return [field.name for field in schema if field.name not in known and holds_labels(field.type)]


def class_names(schema: pa.Schema, label: str) -> list[str]:
    """Return the words of a column of Hugging Face's type ClassLabel; none for other columns."""
    try:
        description = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = description["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def word_of(value: Any, words: Sequence[str]) -> Any:
    """Return the word for a number of ClassLabel, None for its −1; another value as it is."""
    if words and isinstance(value, int) and value < len(words):
        return words[value] if value >= 0 else None  # Hugging Face marks images without a label by -1
    return value


def holds_bytes(kind: pa.DataType) -> bool:
    """Return whether a type is bytes, or a struct with them."""
    from pyarrow import types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and holds_bytes(kind.field("bytes").type)
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def holds_text(kind: pa.DataType) -> bool:
    """Return whether a type is text."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view))


def holds_labels(kind: pa.DataType) -> bool:
    """Return whether a type is text, numbers, or true and false."""
    from pyarrow import types

    if holds_text(kind):
        return True
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return any(test(kind) for test in (types.is_boolean, types.is_integer, types.is_floating))


def _is_struct(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_struct(kind))


def names_files(file: pq.ParquetFile, image: str) -> bool:
    """Return whether rows name their images' files, instead of holding the images.

    They do as text, and in structs without bytes, of which the file's own statistics tell.

    Args:
        file: The file.
        image: Its column of images.
    """
    if holds_text(file.schema_arrow.field(image).type):
        return True
    groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
    chunks = (group.column(number) for group in groups for number in range(group.num_columns))
    of_bytes = (chunk.statistics for chunk in chunks if chunk.path_in_schema == f"{image}.bytes")
    return any(statistics is not None and statistics.null_count for statistics in of_bytes)


def holds_images(path: str) -> bool:
    """Return whether a Parquet file has a column of bytes or of structs with bytes, which may be images.

    Raises:
        DataError: It is no Parquet file, or a broken one.
    """
    return holds_pictures(schema_of(path))


def images_in(path: str) -> int:
    """Return the number of rows of a Parquet file that `holds_images`, else 0.

    Raises:
        DataError: It is no Parquet file, or a broken one.
    """
    with open_parquet(path) as file:
        return int(file.metadata.num_rows) if holds_pictures(file.schema_arrow) else 0
