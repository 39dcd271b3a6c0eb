"""Examples as tf.data, for all stages after ingest. Importing this module loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.examples.training_order import in_training_order
from schemas.artifacts import records
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics, read_statistics
from schemas.errors import DataError

Parser = Callable[[tf.Tensor], Any]  # from serialised records, [B], to a batch

READ = 256  # records of a shard read at once
MOST_AT_ONCE = 256  # images of a pass without training
MOST_PIXELS = MOST_AT_ONCE * 64 * 64  # larger images come in smaller batches, so that a batch's activations fit
# All parallelism is set here, so tf.data has nothing to tune. And the end of an iterator may wait for its tuning thread, which
# sleeps 10 ms, 20 ms, 40 ms, …: a `fit` of 3 s then takes 5.1 s (TensorFlow 2.21).
_UNTUNED = tf.data.Options()
_UNTUNED.autotune.enabled = False


@contextmanager
def readable(examples: Examples) -> Iterator[None]:
    """Turn TensorFlow's error about a broken shard into a line that says what to do."""
    try:
        yield
    except (
        tf.errors.DataLossError,  # a checksum, or an early end
        tf.errors.InvalidArgumentError,  # no such record
        tf.errors.FailedPreconditionError,  # fewer batches than there should be
        tf.errors.NotFoundError,
    ) as error:
        detail = (error.message or "").splitlines()[0][:200]
        raise broken_shard(examples, detail) from None


def broken_shard(examples: Examples, detail: str) -> DataError:
    """Return the error about a broken shard."""
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
    """Return the training split, epoch after epoch, each epoch in an order that depends on (seed, epoch) alone.

    Args:
        examples: Where the shards are.
        batch_size: Images per batch; the last batch of an epoch may be smaller.
        seed: Seed of the order.
        first_epoch: The epoch to begin with, from 0, as a resumed training does.
        epochs: The epoch to end before.
        limit: Number of records to use, from the first; None: all.
        labelled: Whether labels are wanted, as by a conditional model.

    Returns:
        Batches of pixels [B, H', W', C], uint8; labelled, of ``{"pixels": …, "labels": [B]}``.
    """
    serialized = _in_order(
        examples, batch_size=batch_size, seed=seed, first_epoch=first_epoch, epochs=epochs, limit=limit
    )
    parse = _inputs_parser(read_statistics(examples), labelled=labelled)
    return prefetched(serialized.map(parse, num_parallel_calls=2, deterministic=True))


def keys_of_batches(examples: Examples, *, batch_size: int, seed: int, epoch: int, first: int, count: int) -> list[str]:
    """Return the keys of the images that some steps of an epoch see, with `training_batches` of the same values.

    Args:
        examples: Where the shards are.
        batch_size: Images per batch.
        seed: Seed of the order.
        epoch: From 0.
        first: The first step, from 0.
        count: Number of steps.
    """
    serialized = _in_order(examples, batch_size=batch_size, seed=seed, first_epoch=epoch, epochs=epoch + 1, limit=None)
    features = {records.KEY: tf.io.FixedLenFeature([], tf.string)}
    batches = serialized.skip(first).take(count).map(lambda batch: tf.io.parse_example(batch, features)[records.KEY])
    return [key.decode() for batch in batches.as_numpy_iterator() for key in batch]


def _in_order(examples: Examples, *, limit: int | None, **order: Any) -> tf.data.Dataset:
    """Return batches of serialised records, [B], in the order of training. With a limit all shards count as one."""
    statistics = read_statistics(examples)
    paths = tf.constant([str(path) for path in examples.shards("train")])

    def open_shard(number: tf.Tensor, block: int) -> tf.data.Dataset:
        serialized = tf.data.TFRecordDataset(paths[number] if limit is None else paths)
        return (serialized if limit is None else serialized.take(limit)).batch(block)

    count = statistics.records["train"]
    shards, count = (len(paths), count) if limit is None else (1, min(limit, count))
    return in_training_order(open_shard, statistics, shards=shards, records=count, **order)


def images_at_once(height: int, width: int) -> int:
    """Return the images per batch of a pass without training: 256 up to 64 × 64 pixels, 16 at 256 × 256."""
    return max(1, min(MOST_AT_ONCE, MOST_PIXELS // (height * width)))


def batches(
    examples: Examples, split: str, *, batch_size: int, limit: int | None = None, labelled: bool = False
) -> tf.data.Dataset:
    """Return a split in stored order: batches of pixels [B, H', W', C], uint8.

    Labelled, as a conditional model takes them: batches of ``{"pixels": …, "labels": [B]}``.
    """
    parse = _inputs_parser(read_statistics(examples), labelled=labelled)
    return prefetched(_stored(examples, split, batch_size=batch_size, limit=limit).map(parse, num_parallel_calls=2))


def labelled_batches(examples: Examples, split: str, *, batch_size: int, limit: int | None = None) -> tf.data.Dataset:
    """Return the batches of `batches`, each with its labels [B], int64; -1: no label (see `Statistics.labels`)."""
    parse = _labelled_parser(read_statistics(examples))
    return prefetched(_stored(examples, split, batch_size=batch_size, limit=limit).map(parse, num_parallel_calls=2))


def labelled_shard(path: Path, statistics: Statistics) -> tf.data.Dataset:
    """Return the batches of one shard, as `labelled_batches` does of a split."""
    records_of_shard = tf.data.TFRecordDataset(str(path)).batch(READ)
    return prefetched(records_of_shard.map(_labelled_parser(statistics), num_parallel_calls=2))


def _stored(examples: Examples, split: str, *, batch_size: int, limit: int | None) -> tf.data.Dataset:
    count = read_statistics(examples).records[split]
    serialized = tf.data.TFRecordDataset([str(path) for path in examples.shards(split)])
    if limit is not None:
        count, serialized = min(count, limit), serialized.take(limit)
    # With the number asserted, a lost shard is an error, and Keras does not warn of an unexpected end.
    return serialized.apply(tf.data.experimental.assert_cardinality(count)).batch(batch_size)


def prefetched(data: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches that are prepared while those before are used: every data set here ends with this."""
    return data.prefetch(4).with_options(_UNTUNED)


def batch_count(inputs: Any) -> int:
    """Return the number of images of a batch, labelled or not."""
    return int(tf.nest.flatten(inputs)[0].shape[0])


def _labels(serialized: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_example(serialized, {records.LABEL: tf.io.FixedLenFeature([], tf.int64)})[records.LABEL]


def _labelled_parser(statistics: Statistics) -> Parser:
    parse = _parser(statistics)
    return lambda serialized: (parse(serialized), _labels(serialized))


def _inputs_parser(statistics: Statistics, *, labelled: bool) -> Parser:
    parse = _parser(statistics)
    if not labelled:
        return parse
    return lambda serialized: {"pixels": parse(serialized), "labels": _labels(serialized)}


def _parser(statistics: Statistics) -> Parser:
    shape = (statistics.stored_height, statistics.stored_width, statistics.channels)

    def parse_uint8(serialized: tf.Tensor) -> tf.Tensor:
        features = tf.io.parse_example(serialized, {records.IMAGE: tf.io.FixedLenFeature([], tf.string)})
        flat = tf.io.decode_raw(features[records.IMAGE], tf.uint8)
        return tf.reshape(flat, (-1, *shape))

    def parse_float32(serialized: tf.Tensor) -> tf.Tensor:
        # Back to pixels, so that the model's graph is the same for either store.
        features = tf.io.parse_example(serialized, {records.IMAGE: tf.io.FixedLenFeature(shape, tf.float32)})
        mean = np.asarray(statistics.mean, np.float32)
        deviation = np.asarray(statistics.deviation, np.float32)
        return tf.cast(
            tf.clip_by_value(tf.round((features[records.IMAGE] * deviation + mean) * 255.0), 0, 255), tf.uint8
        )

    return parse_uint8 if statistics.store == "uint8" else parse_float32
