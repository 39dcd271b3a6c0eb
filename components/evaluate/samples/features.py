"""Feature spaces, in which sets of images are compared. Importing this module loads TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

SEED = 20260101  # of the random network: the same everywhere, so that distances can be compared between runs
FILTERS = (64, 128, 256)


@dataclass(frozen=True)
class FeatureSpace:
    """A network whose outputs stand for images.

    Attributes:
        name: Key in ``metrics.json``.
        doc: What the network is, for a person.
        digest: sha256 of the network: distances are comparable where it is the same.
        features: Images [B, H, W, C], scale 0 to 1, to features [B, D].
    """

    name: str
    doc: str
    digest: str
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def features_of(spaces: Sequence[FeatureSpace], batches: Iterable[Any]) -> list[NDArray[np.float32]]:
    """Of batches of images, [B, H, W, C], scale 0 to 1, which are read once: [N, D] for each space."""
    found: list[list[NDArray[np.float32]]] = [[] for _ in spaces]
    for images in batches:
        for kept, space in zip(found, spaces, strict=True):
            kept.append(np.asarray(space.features(images)))
    return [np.concatenate(kept) for kept in found]


def classifier_space(network: keras.Model) -> FeatureSpace:
    """What a classifier of the real training images knows of an image (`components.evaluate.samples.classifier`)."""
    return _network_space(
        "classifier", "a classifier trained on the real training images, before its last layer", network
    )


def random_space(image_shape: tuple[int, int, int]) -> FeatureSpace:
    """A convolutional network that nobody has trained: the same for all images of a shape.

    Means and deviations of its maps, at three resolutions, are a rough summary of shapes and textures; even such features
    order sets by their quality (Naeem et al. 2020, section 4.2). They need no labels and know nothing of the images.
    """
    initializer = keras.initializers.HeNormal
    images = x = keras.Input(image_shape)
    found = []
    for number, filters in enumerate(FILTERS):
        x = layers.Conv2D(
            filters, 3, strides=2, padding="same", activation="relu", kernel_initializer=initializer(SEED + number)
        )(x)
        found += [layers.GlobalAveragePooling2D()(x), _Deviation()(x)]
    return _network_space(
        name="random",
        doc="a convolutional network with random weights, the same for all images of a shape",
        network=keras.Model(images, layers.Concatenate()(found)),
    )


def _network_space(name: str, doc: str, network: keras.Model) -> FeatureSpace:
    """Of a network of ours, which is known by its weights."""
    found = hashlib.sha256()
    for weight in network.get_weights():
        found.update(f"{weight.dtype.str} {weight.shape}".encode())
        found.update(np.ascontiguousarray(weight).tobytes())
    return FeatureSpace(name, doc, found.hexdigest(), network.predict_on_batch)


class _Deviation(layers.Layer):
    """Standard deviation of each map: [B, C]."""

    def call(self, maps: Any) -> Any:
        return keras.ops.std(maps, axis=(1, 2))
