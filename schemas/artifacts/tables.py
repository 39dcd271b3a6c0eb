"""The pyarrow schemas of every table that an artifact holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import atomic


class Reason(StrEnum):
    """Why an image was rejected: the closed list."""

    VANISHED = "vanished"  # listed, then gone
    CHANGED = "changed"  # listed, then other bytes
    UNREADABLE = "unreadable"  # the file system refused
    EMPTY = "empty"  # no bytes, or no pixels
    UNKNOWN_FORMAT = "unknown_format"  # none of preprocess.formats
    TOO_LARGE = "too_large"  # more than preprocess.max_bytes, max_pixels or max_frames
    ANIMATED = "animated"  # several frames or pages, and preprocess.animated: reject
    TRUNCATED = "truncated"  # the file ends early
    CORRUPT = "corrupt"  # a decoder gave up
    UNSUPPORTED = "unsupported"  # whole, but of values whose range nobody says


IMAGES = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # names the image within the sources
        pa.field("split", pa.string(), nullable=False),  # train, validation or test
        pa.field("label", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),  # of the source's bytes
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),  # pixels, before resizing
        pa.field("height", pa.int32(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),  # file within the artifact
    ]
)

DUPLICATES = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # of the image that was left out
        pa.field("same_as", pa.string(), nullable=False),  # key of the one that was kept
        pa.field("sha256", pa.string(), nullable=False),  # of both
    ]
)

REJECTED = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # a Reason
        pa.field("detail", pa.string(), nullable=False),
    ]
)

TRIALS = pa.schema(  # and a column for each searched key: see `trials_schema`
    [
        pa.field("trial", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # COMPLETED or FAILED
        pa.field("epochs", pa.int32(), nullable=False),  # that it was given
        pa.field("epochs_run", pa.int32(), nullable=False),  # fewer, where it was ended because it was behind
        pa.field("images", pa.int32(), nullable=False),  # per epoch
        pa.field("val_elbo", pa.float64()),  # nats per image, larger is better; null for a failed trial
        pa.field("val_elbo_by_epoch", pa.list_(pa.float64()), nullable=False),
        pa.field("reason", pa.string()),  # why a trial failed
    ]
)


def trials_schema(values: Mapping[str, Sequence[Any]]) -> pa.Schema:
    """The table of a search's trials: `TRIALS`, and a column named after each searched key.

    Args:
        values: By key, what was tried. Lists are kept as JSON.
    """
    return pa.schema([*TRIALS, *(pa.field(key, _type(tried)) for key, tried in values.items())])


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
        pa.field(
            "file_name", pa.string(), nullable=False
        ),  # within the artifact; so Hugging Face's imagefolder calls it
        pa.field("index", pa.int64(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("sampler", pa.string(), nullable=False),  # where the code comes from
        pa.field("source", pa.string()),  # and of what, where codes are given: an image's name, two, or a row's
        pa.field("label", pa.string()),
        pa.field("code", pa.list_(pa.float32()), nullable=False),  # the latent vector
        pa.field("model", pa.string(), nullable=False),  # digest of the Model
        pa.field("sha256", pa.string(), nullable=False),  # of its bytes there: an image file's, or raw pixels
    ]
)
DROPPED = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("reason", pa.string(), nullable=False),  # near_copy or unlikely
        pa.field(
            "found", pa.float64(), nullable=False
        ),  # distance from a training image; log density of the code, nats
        pa.field("limit", pa.float64(), nullable=False),  # below which it is left out
        pa.field("training_image", pa.string()),  # key of the one that it is a near copy of
    ]
)


BATCH = 5_000  # rows in memory, of a table that grows with the images


@contextmanager
def writing_table(path: Path, schema: pa.Schema) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a function that adds a row; the file is whole when the block ends well, and not there otherwise."""
    rows: list[dict[str, Any]] = []
    with atomic.replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            rows.clear()

        def add(row: dict[str, Any]) -> None:
            rows.append(row)
            if len(rows) == BATCH:
                flush()

        yield add
        flush()


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Writes rows as they come, as a Parquet file, whole or not at all."""
    with writing_table(path, schema) as add:
        for row in rows:
            add(row)


def write_table(path: Path, rows: Sequence[dict[str, Any]] | pa.Table, schema: pa.Schema) -> None:
    """Writes rows as a Parquet file, whole or not at all.

    Raises:
        ValueError: A column is missing, or one too many.
    """
    if not isinstance(rows, pa.Table):
        if unknown := {key for row in rows for key in row} - set(schema.names):
            raise ValueError(f"expected the columns {', '.join(schema.names)}, found {', '.join(sorted(unknown))}")
        rows = pa.Table.from_pylist(list(rows), schema=schema)
    table = rows.cast(schema)
    with atomic.replacing(path) as temporary:
        pq.write_table(table, temporary)


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Reads a Parquet file and holds it to its schema."""
    return pq.read_table(path).cast(schema)
