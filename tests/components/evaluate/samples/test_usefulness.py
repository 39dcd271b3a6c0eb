"""How well new images train a classifier, compared with real ones. Images show a bright column at one of eight places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.samples import classifier, usefulness
from components.evaluate.samples.classifier import real_batches, steps_for, train_classifier
from components.evaluate.samples.usefulness import Usefulness, document, images_seen, measure_usefulness
from components.examples.training_images import TrainingImages
from schemas.artifacts.kinds import Examples

Array = np.ndarray[Any, Any]
Labelled = tuple[Array, Array]
KINDS = 8
SHAPE = (8, KINDS, 1)
NAMES = tuple(f"column {kind}" for kind in range(KINDS))
COUNT = 512  # training images


def columns(count: int, *, seed: int) -> Labelled:
    """Return noise with a bright column at one of eight places: [N, 8, 8, 1], uint8; and the place: [N]."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % KINDS)
    images = random.integers(0, 100, (count, *SHAPE))
    images[np.arange(count), :, labels] += 120
    return images.astype(np.uint8), labels


def shuffled(count: int) -> Labelled:
    """Return such images with labels that are independent of the place."""
    images, kinds = columns(count, seed=2)
    labels = np.empty_like(kinds)
    for kind in range(KINDS):
        own = np.flatnonzero(kinds == kind)
        labels[own] = np.arange(len(own)) % KINDS
    return images, labels


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Train for few epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "MAX_EPOCHS", 10)
        yield


@pytest.fixture(scope="module")
def images(make_examples: Callable[..., Examples]) -> TrainingImages:
    """Return the real training images."""
    pixels, labels = columns(COUNT, seed=0)
    return TrainingImages(make_examples(pixels, labels=labels.tolist(), names=NAMES, training=COUNT))


@pytest.fixture(scope="module")
def real(images: TrainingImages) -> keras.Model:
    """Return a classifier that was trained on them."""
    batches = real_batches(images, as_stored, seed=0)
    return train_classifier(batches, image_shape=SHAPE, labels=KINDS, steps=steps_for(COUNT), seed=0)


def as_stored(pixels: Any) -> Any:
    return pixels


def in_batches(*, known: int | None = None) -> Iterator[Labelled]:
    """Yield test images in two batches; only the first `known` images have labels."""
    pixels, labels = columns(300, seed=1)
    labels[300 if known is None else known :] = -1
    for part in (slice(0, 200), slice(200, 300)):
        yield pixels[part].astype(np.float32) / 255.0, labels[part]


def measure(
    real: keras.Model, images: TrainingImages, new_images: Callable[[int], Labelled | None], **options: Any
) -> Any:
    return measure_usefulness(
        real,
        new_images,
        **{"images": images, "crop": as_stored, "test": in_batches, "labels": KINDS, "seed": 0, **options},
    )


@pytest.fixture(scope="module")
def counts() -> list[int]:
    """Return the numbers of images that progress was called with, while `similar` was measured."""
    return []


@pytest.fixture(scope="module")
def similar(real: keras.Model, images: TrainingImages, counts: list[int]) -> Usefulness:
    """Return the usefulness of new images that are similar to the real ones."""
    return measure(real, images, lambda count: columns(count, seed=2), progress=counts.append)


@pytest.fixture(scope="module")
def mislabelled(real: keras.Model, images: TrainingImages) -> Usefulness:
    """Return the usefulness of new images whose labels are random."""
    return measure(real, images, shuffled)


def test_images_similar_to_real_ones_train_as_well(similar: Usefulness) -> None:
    assert similar.real > 0.95
    assert similar.ratio == similar.synthetic / similar.real == pytest.approx(1.0, abs=0.05)
    assert similar.both > 0.95


def test_images_with_random_labels_train_badly(mislabelled: Usefulness, similar: Usefulness) -> None:
    assert mislabelled.real == similar.real
    assert mislabelled.synthetic < 0.4  # chance: 0.125
    assert mislabelled.ratio < 0.4


def test_real_images_train_in_spite_of_mislabelled_ones(mislabelled: Usefulness) -> None:
    assert mislabelled.synthetic + 0.3 < mislabelled.both


def test_there_are_as_many_new_images_as_real_ones(similar: Usefulness) -> None:
    assert similar.images == COUNT
    assert similar.test_images == 300


@pytest.fixture
def no_training(real: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the classifier of real images for those that would be trained."""
    monkeypatch.setattr(usefulness, "train_classifier", lambda *args, **options: real)


@pytest.mark.usefixtures("no_training")
def test_memory_limits_the_number_of_new_images(
    real: keras.Model, images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usefulness, "MAX_BYTES", 100 * 64 + 63)
    counts: list[int] = []

    def new_images(count: int) -> Labelled:
        counts.append(count)
        return columns(count, seed=2)

    assert measure(real, images, new_images).images == 100
    assert counts == [100]


@pytest.mark.usefixtures("no_training")
def test_test_images_without_a_label_do_not_count(real: keras.Model, images: TrainingImages) -> None:
    few = measure(real, images, lambda count: columns(count, seed=2), test=lambda: in_batches(known=100))
    assert few.test_images == 100
    pixels, labels = columns(300, seed=1)
    predictions = np.asarray(real.predict_on_batch(pixels[:100].astype(np.float32) / 255.0)).argmax(axis=1)
    assert few.real == pytest.approx(float((predictions == labels[:100]).mean()))


@pytest.mark.usefixtures("no_training")
def test_there_is_a_reason_where_nothing_can_be_measured(real: keras.Model, images: TrainingImages) -> None:
    def new_images(count: int) -> Labelled:
        return columns(count, seed=2)

    assert measure(real, images, lambda count: None) == "some new image has values that are not finite numbers"
    unlabelled = measure(real, images, new_images, test=lambda: in_batches(known=0))
    assert unlabelled == "no test image has a label"
    broken = keras.Model(real.inputs, keras.layers.Rescaling(float("nan"))(real.output))
    assert measure(broken, images, new_images) == "the outputs of some classifier are not finite numbers"


@pytest.mark.usefixtures("similar")
def test_progress_ends_at_the_images_that_both_classifiers_see(counts: list[int]) -> None:
    assert counts == sorted(counts)
    assert counts[-1] == images_seen(COUNT) == 2 * 10 * COUNT


def test_the_document_has_the_accuracies_and_their_ratio() -> None:
    content = document(Usefulness(images=1000, test_images=300, real=0.9, synthetic=0.6, both=0.91234567))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert {name: value for name, value in content.items() if name != "doc"} == {
        "images": 1000,
        "test_images": 300,
        "real": 0.9,
        "synthetic": 0.6,
        "both": 0.912346,
        "ratio": 0.666667,
    }


def test_the_ratio_is_0_where_real_images_train_nothing() -> None:
    assert Usefulness(images=10, test_images=10, real=0.0, synthetic=0.5, both=0.0).ratio == 0.0


def test_the_document_may_hold_the_reason_instead() -> None:
    assert document("the training images have no labels") == {"left_out": "the training images have no labels"}
