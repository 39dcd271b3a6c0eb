"""What new images teach a classifier, beside what real ones do: images of eight kinds, a bright column at eight places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.samples import classifier, usefulness
from components.evaluate.samples.classifier import real_batches, steps_for, train_classifier
from components.evaluate.samples.usefulness import Usefulness, document, measure_usefulness, seen
from components.examples.training_images import TrainingImages
from schemas.artifacts.kinds import Examples

Array = np.ndarray[Any, Any]
Labelled = tuple[Array, Array]
KINDS = 8
SHAPE = (8, KINDS, 1)
NAMES = tuple(f"column {kind}" for kind in range(KINDS))
COUNT = 1024  # training images


def columns(count: int, *, seed: int) -> Labelled:
    """Noise with a bright column at one of eight places: [N, 8, 8, 1], uint8; the place: [N]."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % KINDS)
    images = random.integers(0, 100, (count, *SHAPE))
    images[np.arange(count), :, labels] += 120
    return images.astype(np.uint8), labels


def shuffled(count: int) -> Labelled:
    """The same, whose labels say nothing: of each kind as many of every label."""
    images, kinds = columns(count, seed=2)
    labels = np.empty_like(kinds)
    for kind in range(KINDS):
        own = np.flatnonzero(kinds == kind)
        labels[own] = np.arange(len(own)) % KINDS
    return images, labels


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "EPOCHS", 8)
        yield


@pytest.fixture(scope="module")
def images(make_examples: Callable[..., Examples]) -> TrainingImages:
    pixels, labels = columns(COUNT, seed=0)
    return TrainingImages(make_examples(pixels, labels=labels.tolist(), names=NAMES, training=COUNT))


@pytest.fixture(scope="module")
def real(images: TrainingImages) -> keras.Model:
    """A classifier of these."""
    batches = real_batches(images, as_stored, seed=0)
    return train_classifier(batches, image_shape=SHAPE, labels=KINDS, steps=steps_for(COUNT), seed=0)


def as_stored(pixels: Any) -> Any:
    return pixels


def in_batches(*, known: int | None = None) -> Iterator[Labelled]:
    """Two batches; the labels of all but the first `known` images are left out."""
    pixels, labels = columns(300, seed=1)
    labels[300 if known is None else known :] = -1
    for part in (slice(0, 200), slice(200, 300)):
        yield pixels[part].astype(np.float32) / 255.0, labels[part]


def measure(real: keras.Model, images: TrainingImages, made: Callable[[int], Labelled], **options: Any) -> Usefulness:
    return measure_usefulness(
        real,
        made,
        **{"images": images, "crop": as_stored, "test": in_batches, "labels": KINDS, "seed": 0, **options},
    )


@pytest.fixture(scope="module")
def told() -> list[int]:
    """Of progress, while `alike` was made."""
    return []


@pytest.fixture(scope="module")
def alike(real: keras.Model, images: TrainingImages, told: list[int]) -> Usefulness:
    """Of new images that are like the real ones."""
    return measure(real, images, lambda count: columns(count, seed=2), progress=told.append)


@pytest.fixture(scope="module")
def senseless(real: keras.Model, images: TrainingImages) -> Usefulness:
    """Of new images whose labels say nothing."""
    return measure(real, images, shuffled)


def test_images_like_the_real_ones_teach_as_much(alike: Usefulness) -> None:
    assert alike.real > 0.95
    assert alike.ratio == alike.synthetic / alike.real == pytest.approx(1.0, abs=0.05)
    assert alike.both > 0.95


def test_images_whose_labels_say_nothing_teach_nothing(senseless: Usefulness, alike: Usefulness) -> None:
    assert senseless.real == alike.real
    assert senseless.synthetic < 0.4  # chance: 0.125
    assert senseless.ratio < 0.4


def test_beside_them_real_images_still_teach(senseless: Usefulness) -> None:
    assert senseless.synthetic + 0.3 < senseless.both


def test_as_many_new_images_are_made_as_there_are_real_ones(alike: Usefulness) -> None:
    assert alike.images == COUNT
    assert alike.test_images == 300


def test_no_more_new_images_are_made_than_memory_holds(
    real: keras.Model, images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usefulness, "BYTES", 100 * 64 + 63)
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    asked: list[int] = []

    def made(count: int) -> Labelled:
        asked.append(count)
        return columns(count, seed=2)

    assert measure(real, images, made).images == 100
    assert asked == [100]


def test_images_without_a_label_are_not_judged(
    real: keras.Model, images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    few = measure(real, images, lambda count: columns(count, seed=2), test=lambda: in_batches(known=100))
    assert few.test_images == 100
    pixels, labels = columns(300, seed=1)
    named = np.asarray(real.predict_on_batch(pixels[:100].astype(np.float32) / 255.0)).argmax(axis=1)
    assert few.real == pytest.approx(float((named == labels[:100]).mean()))


@pytest.mark.usefixtures("alike")
def test_progress_ends_at_what_both_classifiers_see(told: list[int]) -> None:
    assert told == sorted(told)
    assert told[-1] == seen(COUNT) == 2 * 8 * COUNT


def test_the_document_has_the_accuracies_and_their_ratio() -> None:
    said = document(Usefulness(images=1000, test_images=300, real=0.9, synthetic=0.6, both=0.91234567))
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert {name: value for name, value in said.items() if name != "doc"} == {
        "images": 1000,
        "test_images": 300,
        "real": 0.9,
        "synthetic": 0.6,
        "both": 0.912346,
        "ratio": 0.666667,
    }


def test_a_classifier_that_learned_nothing_of_real_images_is_no_measure() -> None:
    assert Usefulness(images=10, test_images=10, real=0.0, synthetic=0.5, both=0.0).ratio == 0.0


def test_the_document_says_why_nothing_was_tried() -> None:
    assert document("the training images have no labels") == {"left_out": "the training images have no labels"}
