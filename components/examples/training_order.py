"""The order of training images, the same from shards and from memory. Importing this module loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from schemas.artifacts.records import Statistics

SHUFFLE_BYTES = 128 << 20  # shuffled at once. That is enough: shards, and the images in them, are in random order
SHUFFLE_RECORDS = 8192
READERS = 4  # shards read in turn, a block of each; fixed, because the order of records depends on it
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
    """Return batches of records, epoch after epoch, each epoch in an order that depends on (seed, epoch) alone.

    Args:
        open_shard: Returns a shard's blocks, given its number and the most records of a block. A block is a tensor with
            an entry per record.
        statistics: The images'.
        shards: Number of shards.
        records: Number of records in all shards. If the shards hold another number, reading raises an
            InvalidArgumentError or a FailedPreconditionError.
        batch_size: Records per batch; the last batch of an epoch may be smaller.
        seed: Seed of the order.
        first_epoch: The epoch to begin with, from 0, as a resumed training does.
        epochs: The epoch to end before.
    """
    seed_of_epoch_0 = tf.constant(seed << 20, tf.int64)
    record_bytes = statistics.stored_height * statistics.stored_width * statistics.channels
    chunk = max(batch_size, min(SHUFFLE_RECORDS, SHUFFLE_BYTES // record_bytes))
    block = max(1, min(BLOCK, chunk // (4 * READERS)))
    steps = math.ceil(records / batch_size)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        def shuffle(number: tf.Tensor, chunk_of_records: tf.Tensor) -> tf.Tensor:
            # Stateless: Dataset.shuffle takes no seed that depends on the epoch.
            return tf.random.experimental.stateless_shuffle(chunk_of_records, seed=[epoch + seed_of_epoch_0, number])

        def count(step: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
            expected = tf.minimum(batch_size, records - tf.cast(step, tf.int32) * batch_size)
            is_complete = tf.debugging.assert_equal(tf.shape(batch)[0], expected, f"expected {records:,} records")
            with tf.control_dependencies([is_complete]):
                return tf.identity(batch)

        numbers = tf.range(shards, dtype=tf.int64)
        order = tf.random.experimental.stateless_shuffle(numbers, seed=[epoch + seed_of_epoch_0, -1])
        blocks = tf.data.Dataset.from_tensor_slices(order).interleave(
            lambda number: open_shard(number, block),
            cycle_length=READERS,
            num_parallel_calls=READERS,
            deterministic=True,
        )
        return blocks.rebatch(chunk).enumerate().map(shuffle).rebatch(batch_size).enumerate().map(count)

    epochs_in_turn = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)
    return epochs_in_turn.apply(tf.data.experimental.assert_cardinality(steps * (epochs - first_epoch)))
