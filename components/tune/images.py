"""The images of all trials of a process. Importing this module loads TensorFlow."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from components.batch_norm import IMAGES as MEASURED
from components.dataset import batches, read_statistics, training_batches
from schemas.artifacts import Examples

RESIDENT = 1 << 30  # bytes of pixels up to which a process keeps them in memory; above, each trial reads the shards
READ = 256  # images read at once, and judged at once


class TrialImages:
    """Read once and kept as uint8, where they are small enough.

    Args:
        examples: Whose training and validation splits are used.
        limit: Only the first so many records of the training split.
    """

    def __init__(self, examples: Examples, *, limit: int) -> None:
        self.examples = examples
        self.statistics = read_statistics(examples)
        self.count = min(limit, self.statistics.records["train"])
        size = self.statistics.stored_height * self.statistics.stored_width * self.statistics.channels
        self.resident = (self.count + self.statistics.records["validation"]) * size <= RESIDENT

    def training(
        self, *, count: int, batch_size: int, seed: int, epochs: int, labelled: bool = False
    ) -> tf.data.Dataset:
        """Batches of pixels [B, H', W', C], uint8, of the first `count` images, epoch after epoch.

        An epoch's order depends on (seed, epoch) alone. Labelled: see `components.dataset.training_batches`.
        """
        if not self.resident:
            return training_batches(
                self.examples,
                batch_size=batch_size,
                seed=seed,
                first_epoch=0,
                epochs=epochs,
                limit=count,
                labelled=labelled,
            )
        inputs, steps = _inputs(self._train, labelled=labelled), math.ceil(count / batch_size)
        seed_here = tf.constant(seed << 20, tf.int64)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=[epoch + seed_here, 0])

            def batch(step: tf.Tensor) -> Any:
                chosen = order[step * batch_size : (step + 1) * batch_size]
                return tf.nest.map_structure(lambda values: tf.gather(values, chosen), inputs)

            return tf.data.Dataset.range(steps).map(batch)

        found = tf.data.Dataset.range(epochs).flat_map(one_epoch)
        return found.apply(tf.data.experimental.assert_cardinality(steps * epochs)).prefetch(4)

    def measured(self, *, count: int, batch_size: int, labelled: bool = False) -> tf.data.Dataset:
        """Batches of the first images in the order in which they are stored, for batch normalisation's statistics."""
        count = min(count, MEASURED)
        if not self.resident:
            return batches(self.examples, "train", batch_size=batch_size, limit=count, labelled=labelled)
        return tf.data.Dataset.from_tensor_slices(_inputs(self._train, labelled=labelled)).take(count).batch(batch_size)

    def validation(self, *, limit: int | None = None, labelled: bool = False) -> tf.data.Dataset:
        """Batches of the validation split, or of its first images."""
        if not self.resident:
            return batches(self.examples, "validation", batch_size=READ, limit=limit, labelled=labelled)
        found = tf.data.Dataset.from_tensor_slices(_inputs(self._validation, labelled=labelled))
        return (found if limit is None else found.take(limit)).batch(READ)

    @cached_property
    def _train(self) -> dict[str, tf.Tensor]:
        return self._read("train", self.count)

    @cached_property
    def _validation(self) -> dict[str, tf.Tensor]:
        return self._read("validation", self.statistics.records["validation"])

    def _read(self, split: str, count: int) -> dict[str, tf.Tensor]:
        data = batches(self.examples, split, batch_size=READ, limit=count, labelled=True)
        found = list(data.as_numpy_iterator())
        with tf.device("CPU"):  # where tf.data looks for it
            return {name: tf.constant(np.concatenate([part[name] for part in found])) for name in found[0]}


def _inputs(held: dict[str, tf.Tensor], *, labelled: bool) -> Any:
    return held if labelled else held["pixels"]
