"""Feature spaces, in which sets of images are compared. Loads TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

SEED = 20260101  # of the random network: a constant, so that distances can be compared between runs
FILTERS = (64, 128, 256)


@dataclass(frozen=True)
class FeatureSpace:
    """A network whose outputs describe images.

    Attributes:
        name: Key in ``metrics.json``.
        doc: What the network is, for a reader.
        digest: sha256 of the network; distances can be compared only where it is the same.
        features: Maps images [B, H, W, C], scale 0 to 1, to features [B, D].
    """

    name: str
    doc: str
    digest: str
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def features_of(spaces: Sequence[FeatureSpace], batches: Iterable[Any]) -> list[NDArray[np.float32]]:
    """Return the features of images in each space, [N, D] each.

    Args:
        spaces: The feature spaces.
        batches: Batches of images, [B, H, W, C], scale 0 to 1. They are read once.
    """
    features: list[list[NDArray[np.float32]]] = [[] for _ in spaces]
    for images in batches:
        for parts, space in zip(features, spaces, strict=True):
            parts.append(np.asarray(space.features(images)))
    return [np.concatenate(parts) for parts in features]


def classifier_space(network: keras.Model) -> FeatureSpace:
    """Return the space of a classifier of real training images; see `components.evaluate.samples.classifier`."""
    return _network_space(
        "classifier", "a classifier trained on the real training images, before its last layer", network
    )


def random_space(image_shape: tuple[int, int, int]) -> FeatureSpace:
    """Return the space of an untrained convolutional network, the same for all images of a shape.

    Means and deviations of its maps, at three resolutions, are a rough summary of shapes and textures. Even such features
    order sets by their quality (Naeem et al. 2020, section 4.2), and they need neither labels nor training.
    """
    initializer = keras.initializers.HeNormal
    images = x = keras.Input(image_shape)
    statistics = []
    for number, filters in enumerate(FILTERS):
        x = layers.Conv2D(
            filters, 3, strides=2, padding="same", activation="relu", kernel_initializer=initializer(SEED + number)
        )(x)
        statistics += [layers.GlobalAveragePooling2D()(x), _Deviation()(x)]
    return _network_space(
        name="random",
        doc="a convolutional network with random weights, the same for all images of a shape",
        network=keras.Model(images, layers.Concatenate()(statistics)),
    )


def _network_space(name: str, doc: str, network: keras.Model) -> FeatureSpace:
    """Return the space of a network of ours, whose digest is that of its weights."""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(f"{weight.dtype.str} {weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return FeatureSpace(name, doc, digest.hexdigest(), network.predict_on_batch)


class _Deviation(layers.Layer):  # Keras is untyped
    """Standard deviation of each map: [B, C]."""

    def call(self, maps: Any) -> Any:
        return keras.ops.std(maps, axis=(1, 2))
