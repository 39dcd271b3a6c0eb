"""The pyarrow schemas of all tables in artifacts, and functions that write and read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas import atomic


class Reason(StrEnum):
    """The reason why an image was rejected."""

    MISSING = "missing"  # named by a table, and not there
    VANISHED = "vanished"  # listed, but gone when it was read
    CHANGED = "changed"  # listed, but with other bytes when it was read
    UNREADABLE = "unreadable"  # the file system returned an error
    EMPTY = "empty"  # no bytes, or no pixels
    UNKNOWN_FORMAT = "unknown_format"  # not one of preprocess.formats
    TOO_LARGE = "too_large"  # more than preprocess.max_bytes, max_pixels or max_frames
    ANIMATED = "animated"  # several frames or pages, and preprocess.animated: reject
    TRUNCATED = "truncated"  # the file ends early
    CORRUPT = "corrupt"  # the decoder failed
    UNSUPPORTED = "unsupported"  # of a kind that is not read, or whose range of values is unknown
    CRASHED = "crashed"  # the decoder's process crashed


IMAGES = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # name of the image in the sources
        pa.field("split", pa.string(), nullable=False),  # train, validation or test
        pa.field("label", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),  # of the bytes in the source
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),  # pixels, before resizing
        pa.field("height", pa.int32(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),  # file in the artifact
    ]
)

DUPLICATES = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # of the image that was left out
        pa.field("same_as", pa.string(), nullable=False),  # key of the image that was kept
        pa.field("sha256", pa.string(), nullable=False),  # of both
    ]
)

DUPLICATES_LABELLED = pa.schema(  # where an image stands under several labels
    [
        *DUPLICATES,
        pa.field("label", pa.string()),  # of the image that was left out
        pa.field("same_as_label", pa.string()),  # of the image that was kept
    ]
)

REJECTED = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # a Reason
        pa.field("detail", pa.string(), nullable=False),
    ]
)

TRIALS = pa.schema(  # `trials_schema` adds a column for each searched key
    [
        pa.field("trial", pa.string(), nullable=False),  # its number, from 1, in the order of their start
        pa.field("status", pa.string(), nullable=False),  # COMPLETED or FAILED
        pa.field("epochs", pa.int32(), nullable=False),  # planned
        pa.field("epochs_run", pa.int32(), nullable=False),  # fewer than planned if the trial was ended early
        pa.field("images", pa.int32(), nullable=False),  # per epoch
        pa.field("val_elbo", pa.float64()),  # nats per image, larger is better; null for a failed trial
        pa.field("val_elbo_by_epoch", pa.list_(pa.float64()), nullable=False),
        pa.field("reason", pa.string()),  # why a trial failed
    ]
)


def trials_schema(values: Mapping[str, Sequence[Any]]) -> pa.Schema:
    """Return the schema of a search's trials: `TRIALS`, and a column for each searched key.

    Args:
        values: The values that were tried, by key. Lists are stored as JSON.
    """
    return pa.schema([*TRIALS, *(pa.field(key, _type(column)) for key, column in values.items())])


def _type(values: Sequence[Any]) -> pa.DataType:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds and kinds <= {int, float} else pa.string()


HISTORY = pa.schema(
    [
        pa.field("epoch", pa.int32(), nullable=False),  # from 1
        pa.field("loss", pa.float64(), nullable=False),
        pa.field("reconstruction", pa.float64(), nullable=False),
        pa.field("kl", pa.float64(), nullable=False),  # nats per image
        pa.field("val_loss", pa.float64(), nullable=False),
        pa.field("val_reconstruction", pa.float64(), nullable=False),
        pa.field("val_kl", pa.float64(), nullable=False),
        pa.field("learning_rate", pa.float64(), nullable=False),
    ]
)

GENERATED = pa.schema(
    [
        # In the artifact. Hugging Face's imagefolder expects this name of the column.
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("index", pa.int64(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("sampler", pa.string(), nullable=False),  # kind of the sampler, or the setting that names the codes
        pa.field("source", pa.string()),  # of a code that was not drawn: the name of an image, of two, or of a row
        pa.field("label", pa.string()),
        pa.field("code", pa.list_(pa.float32()), nullable=False),  # the latent vector
        pa.field("model", pa.string(), nullable=False),  # digest of the Model
        pa.field("sha256", pa.string(), nullable=False),  # of the image file, or of the raw pixels
    ]
)

DROPPED = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("reason", pa.string(), nullable=False),  # near_copy or unlikely
        # Distance from a training image (near_copy), or log density of the code in nats (unlikely).
        pa.field("found", pa.float64(), nullable=False),
        pa.field("limit", pa.float64(), nullable=False),  # images below it are left out
        pa.field("training_image", pa.string()),  # key of the training image that it copies
    ]
)


BATCH = 5_000  # rows held in memory before they are written


@contextmanager
def writing_table(path: Path, schema: pa.Schema) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield a function that adds a row; the file gets its name when the block ends without an error."""
    rows: list[Mapping[str, Any]] = []
    with atomic.replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            rows.clear()

        def add(row: Mapping[str, Any]) -> None:
            rows.append(row)
            if len(rows) == BATCH:
                flush()

        yield add
        flush()


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write rows to a Parquet file, one by one, whole or not at all."""
    with writing_table(path, schema) as add:
        for row in rows:
            add(row)


def write_table(path: Path, rows: Sequence[dict[str, Any]] | pa.Table, schema: pa.Schema) -> None:
    """Write rows to a Parquet file, whole or not at all.

    Raises:
        ValueError: A column is missing, or not in the schema.
    """
    if not isinstance(rows, pa.Table):
        if unknown := {key for row in rows for key in row} - set(schema.names):
            raise ValueError(f"expected the columns {', '.join(schema.names)}, found {', '.join(sorted(unknown))}")
        rows = pa.Table.from_pylist(list(rows), schema=schema)
    table = rows.cast(schema)
    with atomic.replacing(path) as temporary:
        pq.write_table(table, temporary)


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file, and cast it to its schema."""
    return pq.read_table(path).cast(schema)


# Of one row group of a table that somebody else may have written: more would fill the memory.
MAX_ROWS, MAX_VALUES, MAX_COLUMN_BYTES = 1 << 20, 1 << 27, 1 << 29


def find_generated(path: Path, column: str, value: str | int) -> dict[str, Any] | None:
    """Return the first row of a table of `GENERATED` images with this value; None: there is none. It reads a row group at a time.

    Raises:
        OSError, ValueError: It is no such table, or a row group is too large to be read.
    """
    # Texts as numbers of a dictionary: a long one that stands in each row of a small file would fill the memory.
    texts = [field.name for field in GENERATED if field.type == pa.string()]
    schema = pq.read_schema(path)
    for field in GENERATED:
        actual = schema.field(field.name).type if schema.names.count(field.name) == 1 else "none"
        if actual != field.type:
            raise ValueError(f"{field.name}: expected {field.type}, found {actual}")
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for group in range(file.num_row_groups):
            _check_row_group(file.metadata.row_group(group), group)
            place = _index_of(file.read_row_group(group, columns=[column]).column(0), value)
            if place is None:
                continue
            [row] = file.read_row_group(group, columns=GENERATED.names).slice(place, 1).to_pylist()
            if empty := [field.name for field in GENERATED if not field.nullable and row[field.name] is None]:
                raise ValueError(f"{empty[0]}: expected a value in every row, found none")
            return dict(row)
    return None


def _check_row_group(group: pq.RowGroupMetaData, number: int) -> None:
    columns = [group.column(index) for index in range(group.num_columns)]
    if (
        group.num_rows > MAX_ROWS
        or any(column.num_values > MAX_VALUES for column in columns)
        or any(column.total_uncompressed_size > MAX_COLUMN_BYTES for column in columns)
    ):
        raise ValueError(
            f"row group {number}: expected at most {MAX_ROWS:,} rows and {MAX_VALUES:,} values, found more"
        )


def _index_of(column: pa.ChunkedArray, value: str | int) -> int | None:
    """Return the index of the first such value in a column."""
    start = 0
    for chunk in column.chunks:
        wanted: Any = value
        if isinstance(chunk, pa.DictionaryArray):
            wanted, chunk = pc.index(chunk.dictionary, value).as_py(), chunk.indices  # -1: not in the dictionary
        place = int(pc.index(chunk, pa.scalar(wanted, chunk.type)).as_py())
        if place >= 0:
            return start + place
        start += len(chunk)
    return None
