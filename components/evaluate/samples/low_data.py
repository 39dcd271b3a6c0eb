"""The low-data curve: whether new images help a classifier that has few real ones. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.evaluate.samples.classifier import NOT_FINITE, RepeatedClassifier, predicted_labels
from components.evaluate.samples.kid import Interval
from components.evaluate.samples.low_data_curve import ARMS, Arm, Few, LowData, Size, interval
from components.evaluate.samples.usefulness import NEW_NOT_FINITE
from components.examples.dataset import prefetched
from components.examples.training_images import TrainingImages
from components.reporting.console import counted
from schemas import atomic
from schemas.artifacts.records import Statistics

BATCH_SIZE = 64  # real images of a step; classifiers that get new images, too, see as many of these beside them
STEPS = 300
MAX_TEST = 5_000  # test images, the first ones: more would hardly narrow an interval that draws make wide
MAX_BYTES = 1_000_000_000  # of images in memory
READ = 256  # images at once
TOO_FEW_TESTS = "it takes at least two test images with a label"

Pixels = NDArray[np.uint8]  # [N, H, W, C]
Labels = NDArray[np.int64]  # [N]
Correct = NDArray[np.bool_]  # by draw and test image: [D, T]


def possible_sizes(statistics: Statistics, few: Few, *, shape: tuple[int, ...]) -> tuple[list[int], dict[int, str]]:
    """Return the numbers of real images of each label that can be drawn, and why the others cannot, as clauses.

    Args:
        statistics: Of the Examples, whose training images all have labels.
        few: What to draw.
        shape: Shape of an image as a classifier sees it.
    """
    per_label = {label: count for label, count in statistics.images_per_label["train"].items() if count}
    fewest = min(per_label, key=lambda label: per_label[label])
    possible, left_out = [], dict[int, str]()
    for size in sorted(few.sizes):
        if size > per_label[fewest]:
            left_out[size] = f"the label “{fewest}” has only {counted(per_label[fewest], 'training image')}"
        elif few.draws * size * len(per_label) * math.prod(shape) > MAX_BYTES:
            left_out[size] = f"the images of {few.draws} draws take more than {MAX_BYTES // 10**9} GB"
        else:
            possible.append(size)
    return possible, left_out


def images_seen(sizes: int, *, draws: int) -> int:
    """Return how many real images the classifiers of so many numbers of images see, repeats included."""
    return sizes * draws * len(ARMS) * STEPS * BATCH_SIZE


def measure_low_data(
    classifier: keras.Model,
    new: tuple[Pixels, Labels] | None,
    *,
    images: TrainingImages,
    crop: Callable[[Any], Any],
    test: Callable[[], Iterator[tuple[NDArray[Any], Labels]]],
    few: Few,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
    work: Path | None = None,
) -> LowData | str:
    """Train classifiers on few real images: alone, with new images, and with those new images that a filter leaves.

    A draw takes as many real images of each label. From them, three classifiers are trained, which begin with the same weights
    and see the same real images in the same steps. The filter leaves the new images whose label `classifier` confirms: like
    the model, it knows all training images, so this is a filter for who shares the new images, not for who has few real ones.
    No test image is used for anything but the accuracies.

    Args:
        classifier: The classifier that was trained on all real training images.
        new: New images and their labels; None: some are not finite numbers.
        images: The real training images, with labels.
        crop: See `components.evaluate.samples.classifier.real_batches`.
        test: Batches of the real test images, scale 0 to 1, and their labels; -1: no label.
        few: Which numbers of real images, and how often.
        seed: Draw i of a number of images depends on (seed, number, i) alone.
        progress: Called with the number of real images that classifiers have seen; it ends at `images_seen`.
        work: Folder of the finished draws, with which an interrupted evaluation resumes; None: they are not saved.

    Returns:
        The curve; or why there is none, as a clause.
    """
    if new is None:
        return NEW_NOT_FINITE
    shape = tuple(classifier.input_shape[1:])
    possible, left_out = possible_sizes(images.statistics, few, shape=shape)
    test_images, test_labels = _labelled(test, most=min(MAX_TEST, MAX_BYTES // math.prod(shape)))
    if len(test_labels) < 2:
        return TOO_FEW_TESTS
    predictions = predicted_labels(classifier, new[0])
    if predictions is None:
        return NOT_FINITE
    kept = np.flatnonzero(predictions == new[1])
    real_labels = np.concatenate([labels for _, labels in _batches(images)])
    trainer = _Trainer(new, kept, shape=shape, labels=int(classifier.output_shape[-1]), seed=seed)
    measured = []
    for number, size in enumerate(possible):
        rows = [_drawn(real_labels, size, seed=(seed, size, draw)) for draw in range(few.draws)]
        pixels = _pixels(images, crop, np.unique(np.concatenate(rows)))
        correct: list[dict[Arm, Correct]] = []
        for draw in range(few.draws):
            outcome = trainer.outcome(
                np.stack([pixels[row] for row in rows[draw]]),
                real_labels[rows[draw]],
                test=(test_images, test_labels),
                address=(size, draw),
                saved=work / f"low-data-{size}-{draw}.npz" if work else None,
            )
            if outcome is None:
                return NOT_FINITE
            correct.append(outcome)
            progress(images_seen(1, draws=number * few.draws + draw + 1))
        measured.append(_size(size, {arm: np.stack([one[arm] for one in correct]) for arm in correct[0]}))
    return LowData(
        images=len(new[1]),
        kept=len(kept),
        training=images.count,
        test_images=len(test_labels),
        labels=len(np.unique(real_labels)),
        draws=few.draws,
        sizes=tuple(measured),
        left_out=left_out,
    )


class _Trainer:
    """Trains the classifiers of a draw; see `measure_low_data`."""

    def __init__(
        self, new: tuple[Pixels, Labels], kept: NDArray[np.int64], *, shape: tuple[int, ...], labels: int, seed: int
    ) -> None:
        with tf.device("CPU"):  # tf.data reads it there
            self.new = tuple(map(tf.constant, new))
        self.rows: dict[Arm, NDArray[np.int64] | None] = {"real": None, "new": np.arange(len(new[1]))}
        if len(kept):
            self.rows["filtered"] = kept
        self.shape = shape
        self.seed = seed
        self.classifier = RepeatedClassifier(shape, labels=labels, steps=STEPS)

    def outcome(
        self,
        real: Pixels,
        labels: Labels,
        *,
        test: tuple[Pixels, Labels],
        address: tuple[int, int],
        saved: Path | None,
    ) -> dict[Arm, Correct] | None:
        """Return which test images each classifier of a draw names correctly; None: some outputs are not finite."""
        if saved and saved.exists():  # written whole, for this seed, these settings and these inputs alone
            with np.load(saved, allow_pickle=False) as arrays:
                return {arm: arrays[arm] for arm in self.rows}
        outcome = dict[Arm, Correct]()
        for arm, rows in self.rows.items():
            random = np.random.default_rng((self.seed, *address))  # the same for every arm
            start = int(random.integers(2**31))
            network = self.classifier.train(self._steps(real, labels, rows, random), seed=start)
            predictions = predicted_labels(network, test[0])
            if predictions is None:
                return None
            outcome[arm] = predictions == test[1]
        if saved:
            with atomic.replacing(saved) as temporary, temporary.open("wb") as file:
                np.savez(file, **outcome)  # type: ignore[arg-type]
        return outcome

    def _steps(
        self, real: Pixels, labels: Labels, rows: NDArray[np.int64] | None, random: np.random.Generator
    ) -> tf.data.Dataset:
        """Return the batches of a training: of real images, and, if there are `rows`, as many of these new ones beside them."""
        orders = [_order(np.arange(len(labels)), random)]
        with tf.device("CPU"):
            sets = [(tf.constant(real), tf.constant(labels))]
        if rows is not None:
            orders.append(_order(rows, random))
            sets.append(self.new)

        def batch(*numbers: Any) -> Any:
            parts = [[tf.gather(values, of_set) for values in one] for of_set, one in zip(numbers, sets, strict=True)]
            pixels, of_pixels = (tf.concat(values, axis=0) for values in zip(*parts, strict=True))
            return tf.cast(pixels, tf.float32) / 255.0, of_pixels

        steps = tf.data.Dataset.from_tensor_slices(tuple(orders))
        return prefetched(steps.map(batch, num_parallel_calls=2, deterministic=True))


def _order(rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Return rows in random order, again and again until all steps have theirs: [STEPS, BATCH_SIZE]."""
    total = STEPS * BATCH_SIZE
    repeats = [random.permutation(rows) for _ in range(math.ceil(total / len(rows)))]
    return np.concatenate(repeats)[:total].reshape(STEPS, BATCH_SIZE)


def _drawn(labels: Labels, size: int, *, seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the rows of as many images of each label, drawn without replacement."""
    random = np.random.default_rng(seed)
    kinds = np.unique(labels)
    return np.concatenate([random.choice(np.flatnonzero(labels == kind), size, replace=False) for kind in kinds])


def _batches(images: TrainingImages) -> Iterator[tuple[Any, Labels]]:
    for inputs in images.measured(count=images.count, batch_size=READ, labelled=True):
        yield inputs["pixels"], inputs["labels"].numpy()


def _pixels(images: TrainingImages, crop: Callable[[Any], Any], rows: NDArray[np.int64]) -> dict[int, Pixels]:
    """Return the training images of these rows, which are sorted, as the network sees them: [H, W, C] each."""
    pixels, start = dict[int, Pixels](), 0
    for batch, labels in _batches(images):
        own = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(labels))]
        if len(own):
            cropped = np.asarray(crop(tf.gather(batch, own - start)))
            pixels |= zip(own.tolist(), np.rint(cropped).astype(np.uint8), strict=True)
        start += len(labels)
    return pixels


def _labelled(batches: Callable[[], Iterator[tuple[NDArray[Any], Labels]]], *, most: int) -> tuple[Pixels, Labels]:
    """Return the first images that have labels, at most `most`."""
    images, labels, total = list[Pixels](), list[Labels](), 0
    for pixels, of_pixels in batches():
        rows = np.flatnonzero(of_pixels >= 0)[: most - total]
        images.append(np.rint(np.asarray(pixels)[rows] * 255.0).astype(np.uint8))
        labels.append(of_pixels[rows])
        total += len(rows)
        if total >= most:
            break
    return np.concatenate(images), np.concatenate(labels)


def _size(size: int, correct: Mapping[Arm, Correct]) -> Size:
    accuracy = {arm: interval(outcomes) for arm, outcomes in correct.items()}
    gain: dict[Arm, Interval] = {
        arm: interval(outcomes.astype(np.int8) - correct["real"].astype(np.int8))
        for arm, outcomes in correct.items()
        if arm != "real"
    }
    return Size(size, accuracy, gain)
