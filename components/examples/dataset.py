"""Examples as tf.data: what tune, train and evaluate read. Importing this module loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.examples.training_order import in_training_order
from schemas.artifacts import records
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.errors import DataError

READ = 256  # records of a shard read at once
# Nothing of ours is left to be tuned while it runs. And the end of an iterator may wait for the thread that tunes, which sleeps
# 10 ms, 20 ms, 40 ms, …: a `fit` of 3 s then takes 5.1 s (TensorFlow 2.21).
_UNTUNED = tf.data.Options()
_UNTUNED.autotune.enabled = False


def read_statistics(examples: Examples) -> Statistics:
    """What the Examples say of themselves."""
    return Statistics.model_validate_json(examples.statistics_path.read_bytes())


@contextmanager
def readable(examples: Examples) -> Iterator[None]:
    """Turns TensorFlow's complaint about a broken shard into a line that a person can use."""
    try:
        yield
    except (
        tf.errors.DataLossError,  # a checksum, or an early end
        tf.errors.InvalidArgumentError,  # no such record
        tf.errors.FailedPreconditionError,  # fewer batches than there should be
        tf.errors.NotFoundError,
    ) as error:
        detail = (error.message or "").splitlines()[0][:200]
        raise unreadable(examples, detail) from None


def unreadable(examples: Examples, detail: str) -> DataError:
    """The line about a broken shard."""
    return DataError(
        f"{examples.path}: expected whole TFRecord shards, found a broken one ({detail}); "
        f"to make them again, remove {examples.path}"
    )


def training_batches(
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    limit: int | None = None,
    labelled: bool = False,
) -> tf.data.Dataset:
    """Pixels of the training split, epoch after epoch, each epoch in an order that depends on (seed, epoch) alone.

    Args:
        examples: Where the shards are.
        batch_size: Images per batch; the last batch of an epoch may be smaller.
        seed: Where the order starts.
        first_epoch: The epoch to begin with, from 0: a resumed training sees what it would have seen.
        epochs: The epoch to end before.
        limit: Only the first so many records of the split.
        labelled: As a conditional model takes them.

    Returns:
        Batches of pixels [B, H', W', C], uint8; labelled, of ``{"pixels": …, "labels": [B]}``.
    """
    serialized = _in_order(
        examples, batch_size=batch_size, seed=seed, first_epoch=first_epoch, epochs=epochs, limit=limit
    )
    parse = _inputs_parser(read_statistics(examples), labelled=labelled)
    return ahead(serialized.map(parse, num_parallel_calls=2, deterministic=True))


def keys_of_batches(examples: Examples, *, batch_size: int, seed: int, epoch: int, first: int, count: int) -> list[str]:
    """Keys of the images of some steps of a training's epoch: those of `training_batches` with the same values.

    Args:
        examples: Where the shards are.
        batch_size: Images per batch.
        seed: Where the order starts.
        epoch: From 0.
        first: The first step, from 0.
        count: How many steps.
    """
    serialized = _in_order(examples, batch_size=batch_size, seed=seed, first_epoch=epoch, epochs=epoch + 1, limit=None)
    wanted = {records.KEY: tf.io.FixedLenFeature([], tf.string)}
    found = serialized.skip(first).take(count).map(lambda batch: tf.io.parse_example(batch, wanted)[records.KEY])
    return [key.decode() for keys in found.as_numpy_iterator() for key in keys]


def _in_order(examples: Examples, *, limit: int | None, **order: Any) -> tf.data.Dataset:
    """Batches of serialised records, [B], in the order of training. What has a limit is as one shard."""
    statistics = read_statistics(examples)
    paths = tf.constant([str(path) for path in examples.shards("train")])

    def open_shard(number: tf.Tensor, block: int) -> tf.data.Dataset:
        found = tf.data.TFRecordDataset(paths[number] if limit is None else paths)
        return (found if limit is None else found.take(limit)).batch(block)

    records = statistics.records["train"]
    shards, records = (len(paths), records) if limit is None else (1, min(limit, records))
    return in_training_order(open_shard, statistics, shards=shards, records=records, **order)


def batches(
    examples: Examples, split: str, *, batch_size: int, limit: int | None = None, labelled: bool = False
) -> tf.data.Dataset:
    """Pixels of a split in the order in which they are stored: batches [B, H', W', C], uint8.

    Labelled, as a conditional model takes them: batches of ``{"pixels": …, "labels": [B]}``.
    """
    parse = _inputs_parser(read_statistics(examples), labelled=labelled)
    return ahead(_stored(examples, split, batch_size=batch_size, limit=limit).map(parse, num_parallel_calls=2))


def labelled_batches(examples: Examples, split: str, *, batch_size: int, limit: int | None = None) -> tf.data.Dataset:
    """As `batches`, each with its labels [B], int64, -1 where there is none (see `Statistics.labels`)."""
    both = _labelled_parser(read_statistics(examples))
    return ahead(_stored(examples, split, batch_size=batch_size, limit=limit).map(both, num_parallel_calls=2))


def labelled_shard(path: Path, statistics: Statistics) -> tf.data.Dataset:
    """As `labelled_batches`, of one shard."""
    found = tf.data.TFRecordDataset(str(path)).batch(READ)
    return ahead(found.map(_labelled_parser(statistics), num_parallel_calls=2))


def _stored(examples: Examples, split: str, *, batch_size: int, limit: int | None) -> tf.data.Dataset:
    count = read_statistics(examples).records[split]
    found = tf.data.TFRecordDataset([str(path) for path in examples.shards(split)])
    if limit is not None:
        count, found = min(count, limit), found.take(limit)
    # Said aloud, because Keras warns of data that ends where it did not expect it; and a lost shard is an error.
    return found.apply(tf.data.experimental.assert_cardinality(count)).batch(batch_size)


def ahead(data: tf.data.Dataset) -> tf.data.Dataset:
    """Batches that are made while those before are worked on: how every data set here ends."""
    return data.prefetch(4).with_options(_UNTUNED)


def batch_count(inputs: Any) -> int:
    """Images of a batch, labelled or not."""
    return int(tf.nest.flatten(inputs)[0].shape[0])


def _labels(serialized: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_example(serialized, {records.LABEL: tf.io.FixedLenFeature([], tf.int64)})[records.LABEL]


def _labelled_parser(statistics: Statistics):  # type: ignore[no-untyped-def]
    parse = _parser(statistics)
    return lambda serialized: (parse(serialized), _labels(serialized))


def _inputs_parser(statistics: Statistics, *, labelled: bool):  # type: ignore[no-untyped-def]
    parse = _parser(statistics)
    if not labelled:
        return parse
    return lambda serialized: {"pixels": parse(serialized), "labels": _labels(serialized)}


def _parser(statistics: Statistics):  # type: ignore[no-untyped-def]
    shape = (statistics.stored_height, statistics.stored_width, statistics.channels)

    def parse_uint8(serialized: tf.Tensor) -> tf.Tensor:
        found = tf.io.parse_example(serialized, {records.IMAGE: tf.io.FixedLenFeature([], tf.string)})
        flat = tf.io.decode_raw(found[records.IMAGE], tf.uint8)
        return tf.reshape(flat, (-1, *shape))

    def parse_float32(serialized: tf.Tensor) -> tf.Tensor:
        # Back to pixels, so that the model's graph is the same for either store.
        found = tf.io.parse_example(serialized, {records.IMAGE: tf.io.FixedLenFeature(shape, tf.float32)})
        mean = np.asarray(statistics.mean, np.float32)
        deviation = np.asarray(statistics.deviation, np.float32)
        return tf.cast(tf.clip_by_value(tf.round((found[records.IMAGE] * deviation + mean) * 255.0), 0, 255), tf.uint8)

    return parse_uint8 if statistics.store == "uint8" else parse_float32
