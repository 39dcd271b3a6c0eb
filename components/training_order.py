"""The order in which training sees its images: the same whether they come from shards or from memory. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from schemas.records import Statistics

SHUFFLE_BYTES = 128 << 20  # shuffled at once; shards are read in random order, and hold images in random order
SHUFFLE_RECORDS = 8192
READERS = 4  # shards read at once; fixed, because the order of records depends on it


def in_training_order(
    open_shard: Callable[[tf.Tensor], tf.data.Dataset],
    statistics: Statistics,
    *,
    shards: int,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    limit: int | None,
) -> tf.data.Dataset:
    """Batches of the training split's records, epoch after epoch, each epoch in an order that depends on (seed, epoch) alone.

    Args:
        open_shard: From a shard's number to its records, whatever stands for a record: each one tensor.
        statistics: Of the images.
        shards: Their number.
        batch_size: Records per batch; the last batch of an epoch may be smaller.
        seed: Where the order starts.
        first_epoch: The epoch to begin with, from 0: a resumed training sees what it would have seen.
        epochs: The epoch to end before.
        limit: Only the first so many records of the split.
    """
    seed_here = tf.constant(seed << 20, tf.int64)
    record_bytes = statistics.stored_height * statistics.stored_width * statistics.channels
    chunk = max(batch_size, min(SHUFFLE_RECORDS, SHUFFLE_BYTES // record_bytes))
    per_epoch = statistics.records["train"] if limit is None else min(limit, statistics.records["train"])

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        def shuffled(number: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
            # Stateless: Dataset.shuffle takes no seed that depends on the epoch.
            return tf.random.experimental.stateless_shuffle(found, seed=[epoch + seed_here, number])

        numbers = tf.range(shards, dtype=tf.int64)
        if limit is None:
            order = tf.random.experimental.stateless_shuffle(numbers, seed=[epoch + seed_here, -1])
            found = tf.data.Dataset.from_tensor_slices(order).interleave(
                open_shard, cycle_length=READERS, num_parallel_calls=READERS, deterministic=True
            )
        else:
            found = tf.data.Dataset.from_tensor_slices(numbers).flat_map(open_shard).take(limit)
        found = found.apply(tf.data.experimental.assert_cardinality(per_epoch))
        return found.batch(chunk).enumerate().map(shuffled).rebatch(batch_size)

    epochs_in_turn = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)
    steps = math.ceil(per_epoch / batch_size) * (epochs - first_epoch)
    return epochs_in_turn.apply(tf.data.experimental.assert_cardinality(steps))
