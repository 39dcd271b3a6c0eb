"""The images of train and tune: in memory if they fit, else from the shards. Importing this module loads TensorFlow."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.examples.dataset import (
    batches,
    broken_shard,
    labelled_shard,
    prefetched,
    training_batches,
)
from components.examples.memory import memory_bytes
from components.examples.training_order import in_training_order
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import read_statistics

MEMORY_SHARE = 0.25  # images that take more of the machine's memory are read from the shards in each epoch


class Split(NamedTuple):
    """A split in memory.

    Attributes:
        inputs: "pixels" [N, H', W', C], uint8, and "labels" [N], in stored order.
        starts: The number of the first image of each shard, and N.
    """

    inputs: dict[str, tf.Tensor]
    starts: tf.Tensor


class TrainingImages:
    """The training and the validation split, read once and kept in memory as uint8 if they are small enough.

    Their order is the same if not, so that a training does not depend on the machine's memory.

    Args:
        examples: Where the images are.
        limit: Number of records of the training split to use, from the first; None: all.
        processes: Number of processes that keep such images at the same time.
    """

    def __init__(self, examples: Examples, *, limit: int | None = None, processes: int = 1) -> None:
        self.examples = examples
        self.statistics = read_statistics(examples)
        records = self.statistics.records
        self.count = records["train"] if limit is None else min(limit, records["train"])
        size = self.statistics.stored_height * self.statistics.stored_width * self.statistics.channels
        self.bytes = (self.count + records["validation"]) * size
        self.resident = self.bytes <= MEMORY_SHARE * memory_bytes() / processes

    def training(
        self,
        *,
        batch_size: int,
        seed: int,
        epochs: int,
        first_epoch: int = 0,
        limit: int | None = None,
        labelled: bool = False,
    ) -> tf.data.Dataset:
        """Return batches for training: see `components.examples.dataset.training_batches`."""
        order: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "first_epoch": first_epoch, "epochs": epochs}
        if not self.resident:
            return training_batches(self.examples, limit=limit, labelled=labelled, **order)
        count = self.count if limit is None else min(limit, self.count)
        inputs, starts = _inputs(self._train, labelled=labelled), self._train.starts
        if limit is not None:
            starts = tf.constant([0, count], tf.int64)

        def open_shard(number: tf.Tensor, block: int) -> tf.data.Dataset:
            end = starts[number + 1]
            blocks = tf.data.Dataset.range(starts[number], end, block)
            return blocks.map(lambda first: tf.range(first, tf.minimum(first + block, end)))

        numbers = in_training_order(open_shard, self.statistics, shards=len(starts) - 1, records=count, **order)

        def gather(batch: tf.Tensor) -> Any:
            return tf.nest.map_structure(lambda values: tf.gather(values, batch), inputs)

        return prefetched(numbers.map(gather, num_parallel_calls=2, deterministic=True))

    def measured(self, *, count: int, batch_size: int, labelled: bool = False) -> tf.data.Dataset:
        """Return batches of the first training images in stored order, for batch normalisation's statistics."""
        return self._stored("train", batch_size=batch_size, limit=min(count, self.count), labelled=labelled)

    def validation(self, *, batch_size: int, limit: int | None = None, labelled: bool = False) -> tf.data.Dataset:
        """Return batches of the validation split, or of its first images."""
        return self._stored("validation", batch_size=batch_size, limit=limit, labelled=labelled)

    def _stored(self, split: str, *, batch_size: int, limit: int | None, labelled: bool) -> tf.data.Dataset:
        if not self.resident:
            return batches(self.examples, split, batch_size=batch_size, limit=limit, labelled=labelled)
        in_memory = self._train if split == "train" else self._validation
        images = tf.data.Dataset.from_tensor_slices(_inputs(in_memory, labelled=labelled))
        return prefetched((images if limit is None else images.take(limit)).batch(batch_size))

    @cached_property
    def _train(self) -> Split:
        return self._read("train", self.count)

    @cached_property
    def _validation(self) -> Split:
        return self._read("validation", self.statistics.records["validation"])

    def _read(self, split: str, count: int) -> Split:
        shape = (self.statistics.stored_height, self.statistics.stored_width, self.statistics.channels)
        pixels, labels = np.empty((count, *shape), np.uint8), np.empty(count, np.int64)
        limited = count < self.statistics.records[split]
        starts, records = [0], 0
        for path in self.examples.shards(split):
            if limited and records >= count:
                break
            for batch, batch_labels in labelled_shard(path, self.statistics).as_numpy_iterator():
                size = min(len(batch), max(count - records, 0))
                pixels[records : records + size], labels[records : records + size] = batch[:size], batch_labels[:size]
                records += len(batch)
            starts.append(min(records, count))
        if records < count or (records > count and not limited):
            raise broken_shard(self.examples, f"expected {count:,} records in {split}, found {records:,}")
        with tf.device("CPU"):  # tf.data reads it there
            return Split({"pixels": tf.constant(pixels), "labels": tf.constant(labels)}, tf.constant(starts, tf.int64))


def _inputs(split: Split, *, labelled: bool) -> Any:
    return split.inputs if labelled else split.inputs["pixels"]
