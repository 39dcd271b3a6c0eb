"""What new images are good for: can a classifier learn from them what it learns from real ones? Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.evaluate.samples.classifier import BATCH_SIZE, array_batches, real_batches, steps_for, train_classifier
from components.examples.training_images import TrainingImages
from components.reporting.numbers import rounded

BYTES = 1_000_000_000  # of new images, which are held in memory


@dataclass(frozen=True)
class Usefulness:
    """Accuracies on the real test images.

    Attributes:
        images: New images that were learned from; real ones were all of the training split.
        test_images: That were judged.
        real: Of a classifier trained on real images (train on real, test on real).
        synthetic: On new images alone (train on synthetic, test on real: Esteban et al. 2017, section 5.2).
        both: On both together, the real ones as often as the first saw them.
    """

    images: int
    test_images: int
    real: float
    synthetic: float
    both: float

    @property
    def ratio(self) -> float:
        """TSTR over TRTR: 1 says that new images teach as much as real ones do."""
        return self.synthetic / self.real if self.real else 0.0


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
    kept: Path | None = None,
) -> Usefulness | str:
    """Trains a classifier on new images, and one on real and new ones, beside one of real images.

    Args:
        classifier: That was trained on the real training images.
        new_images: So many new images [N, H, W, C] and their labels [N]; None where some are no finite numbers.
        images: The real training images, with labels.
        crop: See `components.evaluate.samples.classifier.real_batches`.
        test: Batches of the real test images, scale 0 to 1, and their labels; -1 where there is none.
        labels: How many there are.
        seed: Of first weights and order.
        progress: Told how many images both classifiers have seen; see `seen`.
        kept: Folder in which both are kept, for after a kill; none: they are not.

    Returns:
        The accuracies; or why there are none, as a clause.
    """
    shape = tuple(classifier.input_shape[1:])
    count = min(images.count, BYTES // int(np.prod(shape)))
    if (new := new_images(count)) is None:
        return "some new image has values that are not finite numbers"
    made = array_batches(*new, seed=seed)
    steps = steps_for(images.count)
    options: dict[str, Any] = {"image_shape": shape, "labels": labels, "steps": steps, "seed": seed}
    synthetic = train_classifier(made, **options, progress=progress, kept=kept and kept / "classifier-new.npz")
    together = tf.data.Dataset.zip(real_batches(images, crop, seed=seed), made).map(_joined)
    both = train_classifier(
        together,
        **options,
        progress=lambda done: progress(seen(images.count) // 2 + done),
        kept=kept and kept / "classifier-both.npz",
    )
    right = [np.zeros(2, np.int64) for _ in range(3)]
    for pixels, its_labels in test():
        known = its_labels >= 0
        for found, network in zip(right, (classifier, synthetic, both), strict=True):
            logits = np.asarray(network.predict_on_batch(pixels))
            if not np.isfinite(logits).all():  # of NaN the first label would be taken
                return "the outputs of some classifier are not finite numbers"
            found += (np.count_nonzero(known & (logits.argmax(axis=1) == its_labels)), np.count_nonzero(known))
    if not right[0][1]:
        return "no test image has a label"
    real_share, synthetic_share, both_share = (float(hits / total) for hits, total in right)
    return Usefulness(count, int(right[0][1]), real_share, synthetic_share, both_share)


def seen(count: int) -> int:
    """Images that both classifiers are trained on, the same ones again and again, for a training split of `count`."""
    return 2 * steps_for(count) * BATCH_SIZE


def _joined(real: Any, new: Any) -> Any:
    """A batch of each, as one."""
    return tuple(tf.concat(parts, axis=0) for parts in zip(real, new, strict=True))


def document(found: Usefulness | str) -> dict[str, Any]:
    """What ``metrics.json`` holds of them."""
    if isinstance(found, str):
        return {"left_out": found}
    return {
        "images": found.images,
        "test_images": found.test_images,
        **{name: rounded(getattr(found, name)) for name in ("real", "synthetic", "both", "ratio")},
        "doc": "Accuracy on real test images of classifiers trained on real, on new, and on both images; ratio: synthetic over "
        "real.",
    }
