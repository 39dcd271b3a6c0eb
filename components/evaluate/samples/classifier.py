"""A classifier of real images: its features are a feature space, and it measures how useful new images are. Loads TensorFlow."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from components.examples.dataset import prefetched
from components.examples.training_images import TrainingImages
from schemas import atomic
from schemas.artifacts.records import Statistics

BATCH_SIZE = 128
MAX_SEEN = 240_000  # images of training, repeats included: enough for 91% of Fashion-MNIST's test images
MAX_EPOCHS = 10
LEARNING_RATE = 2e-3
FILTERS = (32, 64, 128)
PREDICTED = 256  # images at once
NOT_FINITE = "the outputs of some classifier are not finite numbers"
FULL_SIZE = 32  # pixels of the longer side: larger images are averaged down to about this size


def unlabelled(statistics: Statistics) -> str | None:
    """Return why no classifier of these Examples can be trained, as a clause; None: it can."""
    per_label = statistics.images_per_label.get("train", {})
    labels = [label for label in statistics.labels if per_label.get(label, 0)]
    if not labels:
        return "the training images have no labels"
    if sum(per_label.values()) < statistics.images["train"]:
        return "some training images have no label"
    if len(labels) < 2:
        return "all training images have the same label"
    return None


def train_classifier(
    labelled: tf.data.Dataset,
    *,
    image_shape: tuple[int, int, int],
    labels: int,
    steps: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
    saved: Path | None = None,
) -> keras.Model:
    """Train a small convolutional network, whose layer `features` has 128 outputs.

    Args:
        labelled: Batches of images [B, H, W, C], scale 0 to 1, and labels [B]; at least `steps` of them.
        image_shape: Shape of an image.
        labels: Number of labels.
        steps: Steps of training, over which the learning rate falls to 0.
        seed: Seed of the initial weights.
        progress: Called after every step with the number of images seen.
        saved: File of the weights: where it exists, they are loaded instead of trained. None: they are not saved.

    Returns:
        A network from images, scale 0 to 1, to logits [B, labels].
    """
    keras.utils.set_random_seed(seed)
    network = _network(image_shape, labels)
    if saved and _load_weights(network, saved):
        progress(steps * BATCH_SIZE)
        return network
    _compile(network, steps=steps)
    report = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: progress((batch + 1) * BATCH_SIZE))
    network.fit(labelled, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0, callbacks=[report])
    if saved:
        with atomic.replacing(saved) as temporary, temporary.open("wb") as file:
            np.savez(file, *network.get_weights())
    return network


class RepeatedClassifier:
    """Trains the same network again and again from new weights: tracing it anew takes longer than a short training.

    Args:
        image_shape: See `train_classifier`.
        labels: See `train_classifier`.
        steps: Steps of each training.
    """

    def __init__(self, image_shape: tuple[int, ...], *, labels: int, steps: int) -> None:
        self._network = _network(image_shape, labels)
        self._new: Callable[[], keras.Model] = lambda: _network(image_shape, labels)
        self._steps = steps
        _compile(self._network, steps=steps)

    def train(self, labelled: tf.data.Dataset, *, seed: int) -> keras.Model:
        """Train from new weights.

        Args:
            labelled: See `train_classifier`.
            seed: Seed of the weights and of dropout: nothing of an earlier training is left.

        Returns:
            See `train_classifier`; the next training changes its weights.
        """
        keras.utils.set_random_seed(seed)
        for variable, new in zip(self._network.variables, self._new().variables, strict=True):
            variable.assign(new)
        for variable in self._network.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self._network.fit(labelled, steps_per_epoch=self._steps, epochs=1, shuffle=False, verbose=0)
        return self._network


def predicted_labels(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """Return the label that a classifier gives each image, [N]; None: some of its outputs are not finite numbers."""
    predictions = []
    for start in range(0, len(images), PREDICTED):
        logits = np.asarray(network.predict_on_batch(images[start : start + PREDICTED].astype(np.float32) / 255.0))
        if not np.isfinite(logits).all():  # argmax would take NaN for the first label
            return None
        predictions.append(logits.argmax(axis=1))
    return np.concatenate(predictions)


def _compile(network: keras.Model, *, steps: int) -> None:
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    network.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )


def _load_weights(network: keras.Model, path: Path) -> bool:
    """Load a network's weights from a file; return False, and change nothing, where it holds none that fit."""
    try:
        # Opened here, because NumPy leaves a broken zip open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            weights = [arrays[name] for name in arrays.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False
    if [weight.shape for weight in weights] != [weight.shape for weight in network.get_weights()]:
        return False
    network.set_weights(weights)
    return True


def real_batches(images: TrainingImages, crop: Callable[[Any], Any], *, seed: int) -> tf.data.Dataset:
    """Return batches of training images for `train_classifier`, in as many epochs as its steps need.

    Args:
        images: Training images with labels.
        crop: Maps stored pixels [B, H', W', C] to those that the model sees.
        seed: Seed of their order.
    """
    epochs = math.ceil(steps_for(images.count) * BATCH_SIZE / images.count)
    # Rebatched, because the last batch of an epoch may be small.
    stored = images.training(batch_size=BATCH_SIZE, seed=seed, epochs=epochs, labelled=True).rebatch(BATCH_SIZE)

    def prepared(inputs: Any) -> Any:
        return tf.cast(crop(inputs["pixels"]), tf.float32) / 255.0, inputs["labels"]

    return prefetched(stored.map(prepared, num_parallel_calls=2, deterministic=True))


def array_batches(images: NDArray[np.uint8], labels: NDArray[np.int64], *, seed: int) -> tf.data.Dataset:
    """Return endless batches of images in memory, [N, H, W, C], and their labels [N]."""
    numbers = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed).repeat().batch(BATCH_SIZE)
    all_images, all_labels = tf.constant(images), tf.constant(labels)

    def batch(rows: Any) -> Any:
        return tf.cast(tf.gather(all_images, rows), tf.float32) / 255.0, tf.gather(all_labels, rows)

    return prefetched(numbers.map(batch, num_parallel_calls=2, deterministic=True))


def steps_for(count: int) -> int:
    """Return the number of training steps for a training split of `count` images."""
    return math.ceil(min(MAX_SEEN, MAX_EPOCHS * count) / BATCH_SIZE)


def feature_network(classifier: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    """Return a classifier without its last layer: [B, H, W, C] to [B, 128].

    The features of `images` are scaled to a mean square of 1, so that distances of two classifiers have the same order of
    magnitude. They still cannot be compared.
    """
    features = keras.Model(classifier.inputs, classifier.get_layer("features").output)
    scale = 1.0 / max(float(np.sqrt(np.mean(np.square(features.predict_on_batch(images))))), 1e-6)
    return keras.Model(features.inputs, layers.Rescaling(scale)(features.output))


def _network(image_shape: tuple[int, ...], labels: int) -> keras.Model:
    images = x = keras.Input(image_shape)
    ratio = max(image_shape[:2]) // FULL_SIZE
    if ratio > 1:
        x = layers.AveragePooling2D(1 << (ratio.bit_length() - 1), padding="same")(x)
    for filters in FILTERS:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    # Without dropout the network memorises training images, and their features differ from those of test images.
    x = layers.Dropout(0.25)(layers.Flatten()(x))
    x = layers.Dense(FILTERS[-1], activation="relu", name="features")(x)
    return keras.Model(images, layers.Dense(labels)(x))
