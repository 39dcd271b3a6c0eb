"""Several devices train one model: each takes its share of every batch. Importing this module loads TensorFlow.

Keras trains under `tf.distribute.MirroredStrategy`: every device has the weights, and gradients are added up. So that a batch
gives what it gives on one device, whatever the number of devices, the four things that Keras leaves to each device are made
of the whole batch here: noise (Keras's generators draw the same numbers on every device), the loss's mean (Keras divides by
the number of devices, and so weighs images by the size of their share), batch normalisation's statistics, and clipping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from components.examples.dataset import ahead
from models.batch import WholeBatch
from models.vae import VAE

KIND = "GPU"


class Replicas:
    """All GPUs, where there are several; else one device, for which nothing is done."""

    def __init__(self) -> None:
        devices = [device.name for device in tf.config.list_logical_devices(KIND)]
        self.strategy = tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else None
        self.count = max(1, len(devices))

    def scope(self) -> AbstractContextManager[Any]:
        """Where a model is built and compiled, so that every device has it."""
        return self.strategy.scope() if self.strategy else nullcontext()

    @contextmanager
    def sharing(self, vae: VAE) -> Iterator[None]:
        """While it trains, a device's images are a share of their batch."""
        if self.strategy is None:
            yield
            return
        norms = [layer for layer in vae._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
        vae.batch = vae.sampler.batch = SharedBatch()
        # Keras would build the model, which is built, from the mean of the devices' first images: their numbers may differ.
        vae._maybe_symbolic_build = lambda **_: None
        for layer in norms:
            layer.synchronized = True
        optimizer = getattr(vae.optimizer, "inner_optimizer", vae.optimizer)  # with mixed_float16
        clip = optimizer._clip_gradients
        if optimizer.global_clipnorm:
            optimizer._clip_gradients = lambda gradients: _clip_sum(clip, gradients)
        try:
            yield
        finally:
            # A model's file says nothing of the devices that it was trained on.
            vae.batch = vae.sampler.batch = WholeBatch()
            del vae._maybe_symbolic_build
            optimizer._clip_gradients = clip
            for layer in norms:
                layer.synchronized = False

    def share(self, batches: tf.data.Dataset) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """Cuts batches into a part per device, in order; parts may differ by an image.

        A batch of fewer images than there are devices is filled up with the same again, because none may go empty.
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

        # TensorFlow's own way to cut batches depends on what it finds out of their size, and joins what is left over.
        cut = ahead(batches.flat_map(parts))
        return self.strategy.distribute_datasets_from_function(lambda _: cut)

    def validation(self, batches: tf.data.Dataset) -> dict[str, Any]:
        """What `fit` is told of its validation. The batches' number must be known."""
        if self.strategy is None:
            return {"validation_data": batches}
        # Keras cannot count batches that are cut, and so begins them anew only where they never end.
        return {"validation_data": self.share(batches.repeat()), "validation_steps": int(batches.cardinality())}


class SharedBatch(WholeBatch):
    """A replica's images are a part of the batch; parts stand in the order of the replicas."""

    def draw(self, random: Callable[[Any], Any], images: Any) -> Any:
        """Draws for the whole batch, the same on every replica, and takes what belongs to this one's images."""
        context = _replica()
        if context is None:
            return random(images)
        sizes = _sizes(context, images)
        start = tf.reduce_sum(sizes[: context.replica_id_in_sync_group])
        return random(tf.reduce_sum(sizes))[start : start + images]

    def mean(self, losses: Any) -> Any:
        """This replica's part of the mean over the batch, so that the replicas' gradients add up to the batch's.

        Its value is what Keras's metric of the loss expects, which counts images: the mean here, over the number of replicas.
        """
        context = _replica()
        if context is None:
            return super().mean(losses)
        part = tf.reduce_sum(losses) / tf.cast(tf.reduce_sum(_sizes(context, tf.shape(losses)[0])), losses.dtype)
        return part + tf.stop_gradient(tf.reduce_mean(losses) / context.num_replicas_in_sync - part)


def _clip_sum(clip: Callable[[Any], Any], gradients: list[Any]) -> list[Any]:
    """Clips what the replicas' gradients add up to. Keras adds them up after clipping: each gives an equal part of it."""
    context = _replica()
    clipped = clip(gradients if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))
    return clipped if context is None else [gradient / context.num_replicas_in_sync for gradient in clipped]


def _replica() -> tf.distribute.ReplicaContext | None:
    """The replica that this is called in; none where a model is called by itself."""
    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def _sizes(context: tf.distribute.ReplicaContext, images: Any) -> tf.Tensor:
    """How many images each replica has."""
    mine = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync) * tf.cast(images, tf.float32)
    return tf.cast(context.all_reduce(tf.distribute.ReduceOp.SUM, mine), tf.int32)
