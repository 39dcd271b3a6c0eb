"""Measure how useful new images are: how well a classifier learns from them, compared with real ones. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.evaluate.samples.classifier import (
    BATCH_SIZE,
    NOT_FINITE,
    array_batches,
    real_batches,
    steps_for,
    train_classifier,
)
from components.examples.training_images import TrainingImages
from components.reporting.numbers import rounded

MAX_BYTES = 1_000_000_000  # of new images, which are held in memory
STANDS_IN = 0.9  # lowest ratio at which new images may take the place of real ones; the bound is this project's
NEW_NOT_FINITE = "some new image has values that are not finite numbers"


@dataclass(frozen=True)
class Usefulness:
    """Accuracies of three classifiers on the real test images.

    Attributes:
        images: Number of new images that a classifier was trained on; the real ones are the whole training split.
        test_images: Number of labelled test images.
        real: Accuracy after training on real images (train on real, test on real).
        synthetic: Accuracy after training on new images (train on synthetic, test on real: Esteban et al. 2017, section 5.2).
        both: Accuracy after training on both; real images are seen as often as by the first classifier.
    """

    images: int
    test_images: int
    real: float
    synthetic: float
    both: float

    @property
    def ratio(self) -> float:
        """Accuracy of `synthetic` over that of `real`; 1: new images train a classifier as well as real ones."""
        return self.synthetic / self.real if self.real else 0.0

    @property
    def helpful(self) -> bool:
        """Whether new images surely help beside all real ones.

        The 95% interval of the difference of two independent proportions is above 0. Both classifiers are measured on the same
        images, so the interval is rather too wide.
        """
        variance = sum(share * (1.0 - share) for share in (self.real, self.both)) / self.test_images
        return self.both - self.real > 1.96 * math.sqrt(variance)

    @property
    def stands_in(self) -> bool:
        """Whether new images may take the place of the real ones."""
        return self.ratio >= STANDS_IN


def measure_usefulness(
    classifier: keras.Model,
    new_images: Callable[[int], tuple[NDArray[np.uint8], NDArray[np.int64]] | None],
    *,
    images: TrainingImages,
    crop: Callable[[Any], Any],
    test: Callable[[], Iterator[tuple[NDArray[Any], NDArray[np.int64]]]],
    labels: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
    work: Path | None = None,
) -> Usefulness | str:
    """Train a classifier on new images, and one on real and new images; compare both with one trained on real images.

    Args:
        classifier: The classifier that was trained on the real training images.
        new_images: Returns a number of new images [N, H, W, C] and their labels [N]; None if some are not finite numbers.
        images: The real training images, with labels.
        crop: See `components.evaluate.samples.classifier.real_batches`.
        test: Batches of the real test images, scale 0 to 1, and their labels; -1: no label.
        labels: Number of labels.
        seed: Seed of initial weights and of order.
        progress: Called with the number of images that both classifiers have seen; it ends at `images_seen`.
        work: Folder for both classifiers, with which an interrupted evaluation resumes; None: they are not saved.

    Returns:
        The accuracies; or why there are none, as a clause.
    """
    shape = tuple(classifier.input_shape[1:])
    count = new_count(images.count, shape)
    if (new := new_images(count)) is None:
        return NEW_NOT_FINITE
    new_batches = array_batches(*new, seed=seed)
    steps = steps_for(images.count)
    options: dict[str, Any] = {"image_shape": shape, "labels": labels, "steps": steps, "seed": seed}
    synthetic = train_classifier(
        new_batches, **options, progress=progress, saved=work / "classifier-new.npz" if work else None
    )
    together = tf.data.Dataset.zip(real_batches(images, crop, seed=seed), new_batches).map(_joined)
    both_classifier = train_classifier(
        together,
        **options,
        progress=lambda done: progress(images_seen(images.count) // 2 + done),
        saved=work / "classifier-both.npz" if work else None,
    )
    correct, total = [0, 0, 0], 0
    for pixels, test_labels in test():
        known = test_labels >= 0
        total += int(np.count_nonzero(known))
        for index, network in enumerate((classifier, synthetic, both_classifier)):
            logits = np.asarray(network.predict_on_batch(pixels))
            if not np.isfinite(logits).all():  # argmax would take NaN for the first label
                return NOT_FINITE
            correct[index] += int(np.count_nonzero(known & (logits.argmax(axis=1) == test_labels)))
    if not total:
        return "no test image has a label"
    return Usefulness(count, total, *(hits / total for hits in correct))


def new_count(count: int, shape: tuple[int, ...]) -> int:
    """Return the number of new images, of this shape, for a training split of `count` images."""
    return min(count, MAX_BYTES // int(np.prod(shape)))


def images_seen(count: int) -> int:
    """Return how many images both classifiers see, repeats included, for a training split of `count` images."""
    return 2 * steps_for(count) * BATCH_SIZE


def _joined(real: Any, new: Any) -> Any:
    """Join a batch of real images and one of new images into one."""
    return tuple(tf.concat(parts, axis=0) for parts in zip(real, new, strict=True))


def document(usefulness: Usefulness | str) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of the usefulness, or of the reason that it is left out."""
    if isinstance(usefulness, str):
        return {"left_out": usefulness}
    return {
        "images": usefulness.images,
        "test_images": usefulness.test_images,
        **{name: rounded(getattr(usefulness, name)) for name in ("real", "synthetic", "both", "ratio")},
        "doc": "Accuracy on real test images of classifiers trained on real, on new, and on both images; ratio: synthetic over "
        "real.",
    }
