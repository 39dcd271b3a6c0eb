"""A classifier of the real images: a feature space that knows them, and the judge of labelled new images. Loads TensorFlow."""

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

from components.examples.dataset import ahead
from components.examples.training_images import TrainingImages
from schemas import atomic

BATCH_SIZE = 128
# So many images, the same ones again and again, are enough to tell sets apart: 91 of 100 of Fashion-MNIST's test images.
SEEN = 240_000
EPOCHS = 10  # at most, over few images
LEARNING_RATE = 2e-3
FILTERS = (32, 64, 128)
SMALL = 32  # pixels of the longer side, up to which nothing is skipped


def unlabelled(images: TrainingImages) -> str | None:
    """Why no classifier of these images can be trained, as a clause; None: it can."""
    statistics = images.statistics
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
    kept: Path | None = None,
) -> keras.Model:
    """A small convolutional network, trained for so many steps; its layer `features` has 128 outputs.

    Args:
        labelled: Batches of images [B, H, W, C], scale 0 to 1, and labels [B], without end or for at least so many steps.
        image_shape: Of the images.
        labels: How many there are.
        steps: Of training, over which the learning rate falls to 0.
        seed: Of its first weights.
        progress: Told how many images were seen.
        kept: File of its weights, for after a kill: what is there is not trained again. None: nothing is kept.

    Returns:
        Images, scale 0 to 1, to logits [B, labels].
    """
    keras.utils.set_random_seed(seed)
    network = _network(image_shape, labels)
    if kept and _take(kept, network):
        progress(steps * BATCH_SIZE)
        return network
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    network.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    told = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: progress((batch + 1) * BATCH_SIZE))
    network.fit(labelled, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0, callbacks=[told])
    if kept:
        with atomic.replacing(kept) as temporary, temporary.open("wb") as file:
            np.savez(file, *network.get_weights())
    return network


def _take(kept: Path, network: keras.Model) -> bool:
    """Gives a network the weights of a file; False where there are none that fit, and it is as it was."""
    try:
        # Opened here, because NumPy leaves a broken zip open.
        with kept.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            weights = [file[name] for name in file.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False
    if [weight.shape for weight in weights] != [weight.shape for weight in network.get_weights()]:
        return False
    network.set_weights(weights)
    return True


def real_batches(images: TrainingImages, crop: Callable[[Any], Any], *, seed: int) -> tf.data.Dataset:
    """Training images as `train_classifier` takes them, epoch after epoch.

    Args:
        images: Labelled ones.
        crop: From stored pixels [B, H', W', C] to those that the model sees.
        seed: Of their order.
    """
    epochs = math.ceil(steps_for(images.count) * BATCH_SIZE / images.count)
    # In whole batches: an epoch's last one may be small.
    found = images.training(batch_size=BATCH_SIZE, seed=seed, epochs=epochs, labelled=True).rebatch(BATCH_SIZE)

    def prepared(inputs: Any) -> Any:
        return tf.cast(crop(inputs["pixels"]), tf.float32) / 255.0, inputs["labels"]

    return ahead(found.map(prepared, num_parallel_calls=2, deterministic=True))


def array_batches(images: NDArray[np.uint8], labels: NDArray[np.int64], *, seed: int) -> tf.data.Dataset:
    """The same of images in memory, [N, H, W, C], and their labels [N]."""
    numbers = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed).repeat().batch(BATCH_SIZE)
    held = tf.constant(images), tf.constant(labels)

    def chosen(places: tf.Tensor) -> Any:
        return tf.cast(tf.gather(held[0], places), tf.float32) / 255.0, tf.gather(held[1], places)

    return ahead(numbers.map(chosen, num_parallel_calls=2, deterministic=True))


def steps_for(count: int) -> int:
    """Steps of training on so many images."""
    return math.ceil(min(SEEN, EPOCHS * count) / BATCH_SIZE)


def feature_network(classifier: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    """What a classifier knows of images before it names them: [B, H, W, C] to [B, 128].

    Scaled so that these images' features have a mean square of 1: distances of two classifiers are then of one order, though
    still not to be compared.
    """
    found = keras.Model(classifier.inputs, classifier.get_layer("features").output)
    scale = 1.0 / max(float(np.sqrt(np.mean(np.square(found.predict_on_batch(images))))), 1e-6)
    return keras.Model(found.inputs, layers.Rescaling(scale)(found.output))


def _network(image_shape: tuple[int, int, int], labels: int) -> keras.Model:
    images = x = keras.Input(image_shape)
    spare = max(image_shape[:2]) // SMALL
    if spare > 1:  # larger images are looked at from further away
        x = layers.AveragePooling2D(1 << (spare.bit_length() - 1), padding="same")(x)
    for filters in FILTERS:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dropout(0.25)(
        layers.Flatten()(x)
    )  # or training images would be known by heart, and set apart from test images
    x = layers.Dense(FILTERS[-1], activation="relu", name="features")(x)
    return keras.Model(images, layers.Dense(labels)(x))
