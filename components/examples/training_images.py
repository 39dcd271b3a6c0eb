"""The images that train and tune learn from: in memory where they fit, else from the shards. Loads TensorFlow."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.examples.dataset import ahead, batches, labelled_shard, read_statistics, training_batches, unreadable
from components.examples.memory import memory_bytes
from components.examples.training_order import in_training_order
from schemas.artifacts.kinds import Examples

SHARE = 0.25  # of the machine's memory, up to which pixels are kept in it


class Split(NamedTuple):
    """A split in memory.

    Attributes:
        inputs: pixels [N, H', W', C], uint8, and labels [N], as they are stored.
        starts: Where each shard begins, and the end.
    """

    inputs: dict[str, tf.Tensor]
    starts: tf.Tensor


class TrainingImages:
    """Training and validation split, read once and kept as uint8 where they are small enough.

    Their order is the same either way, so that a training does not depend on the machine's memory.

    Args:
        examples: Whose images they are.
        limit: Only the first so many records of the training split.
        processes: That keep such images at the same time.
    """

    def __init__(self, examples: Examples, *, limit: int | None = None, processes: int = 1) -> None:
        self.examples = examples
        self.statistics = read_statistics(examples)
        records = self.statistics.records
        self.count = records["train"] if limit is None else min(limit, records["train"])
        size = self.statistics.stored_height * self.statistics.stored_width * self.statistics.channels
        self.bytes = (self.count + records["validation"]) * size
        self.resident = self.bytes <= SHARE * memory_bytes() / processes

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
        """Batches for training: see `components.examples.dataset.training_batches`."""
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

        def chosen(places: tf.Tensor) -> Any:
            return tf.nest.map_structure(lambda values: tf.gather(values, places), inputs)

        return ahead(numbers.map(chosen, num_parallel_calls=2, deterministic=True))

    def measured(self, *, count: int, batch_size: int, labelled: bool = False) -> tf.data.Dataset:
        """Batches of the first images in the order in which they are stored, for batch normalisation's statistics."""
        return self._stored("train", batch_size=batch_size, limit=min(count, self.count), labelled=labelled)

    def validation(self, *, batch_size: int, limit: int | None = None, labelled: bool = False) -> tf.data.Dataset:
        """Batches of the validation split, or of its first images."""
        return self._stored("validation", batch_size=batch_size, limit=limit, labelled=labelled)

    def _stored(self, split: str, *, batch_size: int, limit: int | None, labelled: bool) -> tf.data.Dataset:
        if not self.resident:
            return batches(self.examples, split, batch_size=batch_size, limit=limit, labelled=labelled)
        held = self._train if split == "train" else self._validation
        found = tf.data.Dataset.from_tensor_slices(_inputs(held, labelled=labelled))
        return ahead((found if limit is None else found.take(limit)).batch(batch_size))

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
        starts, found = [0], 0
        for path in self.examples.shards(split):
            if limited and found >= count:
                break
            for part, its_labels in labelled_shard(path, self.statistics).as_numpy_iterator():
                kept = min(len(part), max(count - found, 0))
                pixels[found : found + kept], labels[found : found + kept] = part[:kept], its_labels[:kept]
                found += len(part)
            starts.append(min(found, count))
        if found < count or (found > count and not limited):
            raise unreadable(self.examples, f"expected {count:,} records in {split}, found {found:,}")
        with tf.device("CPU"):  # where tf.data looks for it
            return Split({"pixels": tf.constant(pixels), "labels": tf.constant(labels)}, tf.constant(starts, tf.int64))


def _inputs(held: Split, *, labelled: bool) -> Any:
    return held.inputs if labelled else held.inputs["pixels"]
