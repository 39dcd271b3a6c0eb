"""The order in which training sees its images: the same whether they come from shards or from memory. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from schemas.artifacts.records import Statistics

SHUFFLE_BYTES = 128 << 20  # shuffled at once; shards are read in random order, and hold images in random order
SHUFFLE_RECORDS = 8192
READERS = 4  # shards read at once, in turn, a block of each; fixed, because the order of records depends on it
BLOCK = 256  # records


def in_training_order(
    open_shard: Callable[[tf.Tensor, int], tf.data.Dataset],
    statistics: Statistics,
    *,
    shards: int,
    records: int,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
) -> tf.data.Dataset:
    """Batches of records, epoch after epoch, each epoch in an order that depends on (seed, epoch) alone.

    Args:
        open_shard: From a shard's number, and a block's most records, to its blocks: tensors of records, whatever stands
            for a record.
        statistics: Of the images.
        shards: Their number.
        records: Of all shards together; another number that comes out is an InvalidArgumentError or a FailedPreconditionError.
        batch_size: Records per batch; the last batch of an epoch may be smaller.
        seed: Where the order starts.
        first_epoch: The epoch to begin with, from 0: a resumed training sees what it would have seen.
        epochs: The epoch to end before.
    """
    seed_here = tf.constant(seed << 20, tf.int64)
    record_bytes = statistics.stored_height * statistics.stored_width * statistics.channels
    chunk = max(batch_size, min(SHUFFLE_RECORDS, SHUFFLE_BYTES // record_bytes))
    block = max(1, min(BLOCK, chunk // (4 * READERS)))
    steps = math.ceil(records / batch_size)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        def shuffled(number: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
            # Stateless: Dataset.shuffle takes no seed that depends on the epoch.
            return tf.random.experimental.stateless_shuffle(found, seed=[epoch + seed_here, number])

        def counted(step: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
            expected = tf.minimum(batch_size, records - tf.cast(step, tf.int32) * batch_size)
            told = tf.debugging.assert_equal(tf.shape(found)[0], expected, f"expected {records:,} records")
            with tf.control_dependencies([told]):
                return tf.identity(found)

        numbers = tf.range(shards, dtype=tf.int64)
        order = tf.random.experimental.stateless_shuffle(numbers, seed=[epoch + seed_here, -1])
        found = tf.data.Dataset.from_tensor_slices(order).interleave(
            lambda number: open_shard(number, block),
            cycle_length=READERS,
            num_parallel_calls=READERS,
            deterministic=True,
        )
        return found.rebatch(chunk).enumerate().map(shuffled).rebatch(batch_size).enumerate().map(counted)

    epochs_in_turn = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)
    return epochs_in_turn.apply(tf.data.experimental.assert_cardinality(steps * (epochs - first_epoch)))
