"""Several devices train one model: each takes its share of every batch. Importing this module loads TensorFlow.

Keras trains under `tf.distribute.MirroredStrategy`: every device has the weights, and gradients are added up. A batch gives
the same result on any number of devices. To that end, four things that Keras leaves to each device are computed here over
the whole batch: noise (Keras's generators draw the same numbers on every device), the loss's mean (Keras divides by the
number of devices, and so weighs images by the size of their share), batch normalisation's statistics, and clipping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from components.examples.dataset import prefetched
from models.batch import WholeBatch
from models.vae import VAE

KIND = "GPU"


class Replicas:
    """All GPUs that share a training; with one device nothing changes."""

    def __init__(self) -> None:
        devices = [device.name for device in tf.config.list_logical_devices(KIND)]
        self.strategy = tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else None
        self.count = max(1, len(devices))

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which a model is built and compiled, so that every device has it."""
        return self.strategy.scope() if self.strategy else nullcontext()

    @contextmanager
    def sharing(self, vae: VAE) -> Iterator[None]:
        """Make each device's images a share of their batch while the model trains."""
        if self.strategy is None:
            yield
            return
        norms = [layer for layer in vae._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
        vae.batch = vae.sampler.batch = SharedBatch()
        # The model is built. Keras would build it again from the devices' first images, whose numbers may differ.
        vae._maybe_symbolic_build = lambda **_: None
        for layer in norms:
            layer.synchronized = True
        optimizer: Any = vae.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # with mixed_float16
        clip = optimizer._clip_gradients
        if optimizer.global_clipnorm:
            optimizer._clip_gradients = lambda gradients: _clip_sum(clip, gradients)
        try:
            yield
        finally:
            # A model's file must not depend on the devices that trained it.
            vae.batch = vae.sampler.batch = WholeBatch()
            del vae._maybe_symbolic_build
            optimizer._clip_gradients = clip
            for layer in norms:
                layer.synchronized = False

    def share(self, batches: tf.data.Dataset) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """Cut batches into a part per device, in order; parts may differ by an image.

        If a batch has fewer images than there are devices, images are repeated: every device needs one.
        """
        if self.strategy is None:
            return batches

        def parts(batch: Any) -> tf.data.Dataset:
            images = tf.shape(tf.nest.flatten(batch)[0], tf.int64)[0]
            places = tf.maximum(images, self.count)

            def part(number: tf.Tensor) -> Any:
                rows = tf.range(places * number // self.count, places * (number + 1) // self.count) % images
                return tf.nest.map_structure(lambda values: tf.gather(values, rows), batch)

            return tf.data.Dataset.range(self.count).map(part)

        # TensorFlow's own way to cut batches depends on what it can infer of their size, and joins leftovers.
        cut = prefetched(batches.flat_map(parts))
        return self.strategy.distribute_datasets_from_function(lambda _: cut)

    def validation(self, batches: tf.data.Dataset) -> dict[str, Any]:
        """Return the arguments of `fit` for its validation. The number of batches must be known."""
        if self.strategy is None:
            return {"validation_data": batches}
        # Keras cannot count batches that are cut. So they repeat without end here, and Keras gets their number.
        return {"validation_data": self.share(batches.repeat()), "validation_steps": int(batches.cardinality())}


class SharedBatch(WholeBatch):
    """The batch of which a replica's images are a part; parts stand in the order of the replicas."""

    def draw(self, random: Callable[[Any], Any], images: Any) -> Any:
        """Draw for the whole batch, the same on every replica, and return the part of this replica's images."""
        context = _replica()
        if context is None:
            return random(images)
        sizes = _sizes(context, images)
        start = tf.reduce_sum(sizes[: context.replica_id_in_sync_group])
        return random(tf.reduce_sum(sizes))[start : start + images]

    def mean(self, losses: Any) -> Any:
        """Return this replica's part of the mean over the batch, so that the replicas' gradients add up to the batch's.

        Its value is what Keras's metric of the loss, which counts images, expects: the mean here over the number of replicas.
        """
        context = _replica()
        if context is None:
            return super().mean(losses)
        part = tf.reduce_sum(losses) / tf.cast(tf.reduce_sum(_sizes(context, tf.shape(losses)[0])), losses.dtype)
        return part + tf.stop_gradient(tf.reduce_mean(losses) / context.num_replicas_in_sync - part)


def _clip_sum(clip: Callable[[Any], Any], gradients: list[Any]) -> list[Any]:
    """Clip the sum of the replicas' gradients. Keras adds up after clipping, so each replica returns an equal part."""
    context = _replica()
    clipped = clip(gradients if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))
    return clipped if context is None else [gradient / context.num_replicas_in_sync for gradient in clipped]


def _replica() -> tf.distribute.ReplicaContext | None:
    """Return the replica that this is called in, or None outside of a shared training."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def _sizes(context: tf.distribute.ReplicaContext, images: Any) -> tf.Tensor:
    """Return the number of images of each replica."""
    mine = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync) * tf.cast(images, tf.float32)
    return tf.cast(context.all_reduce(tf.distribute.ReduceOp.SUM, mine), tf.int32)
