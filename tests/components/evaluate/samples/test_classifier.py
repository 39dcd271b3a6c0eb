"""A classifier of real images learns what is easy, names labels that cannot be learned, and has features of one scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.small_evaluation import eager_training

from components.evaluate.samples import classifier
from components.evaluate.samples.classifier import (
    BATCH_SIZE,
    array_batches,
    feature_network,
    real_batches,
    steps_for,
    train_classifier,
    unlabelled,
)
from components.examples.training_images import TrainingImages
from schemas.artifacts.kinds import Examples

MakeExamples = Callable[..., Examples]
Array = np.ndarray[Any, Any]
SHAPE = (8, 8, 1)
STEPS = 12
SIDES = ("left", "right")


def halves(count: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Return noise that is brighter in one half: [N, 8, 8, 1], uint8; and in which, 0: left, 1: right: [N]."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = random.integers(0, 128, (count, *SHAPE))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 127
    return images.astype(np.uint8), labels


def unit(images: Array) -> Array:
    """Return images with scale 0 to 1."""
    scaled: Array = images.astype(np.float32) / 255.0
    return scaled


def accuracy(network: keras.Model, images: Array, labels: Array) -> float:
    predictions = np.asarray(network.predict_on_batch(unit(images))).argmax(axis=1)
    return float((predictions == labels).mean())


@pytest.fixture
def eager() -> Iterator[None]:
    """Train without tracing."""
    with eager_training():
        yield


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """Return a classifier that was trained on two hundred images of `halves`."""
    return train_classifier(array_batches(*halves(200), seed=0), image_shape=SHAPE, labels=2, steps=STEPS, seed=0)


def test_a_few_steps_are_enough_for_images_that_differ_clearly(trained: keras.Model) -> None:
    assert accuracy(trained, *halves(300, seed=1)) > 0.97


def test_stored_images_train_as_well(make_examples: MakeExamples) -> None:
    images, labels = halves(200)
    examples = make_examples(images, labels=labels.tolist(), names=SIDES, training=200)
    real = real_batches(TrainingImages(examples), lambda pixels: pixels, seed=0)
    network = train_classifier(real, image_shape=SHAPE, labels=2, steps=STEPS, seed=0)
    assert accuracy(network, *halves(300, seed=1)) > 0.97


@pytest.mark.usefixtures("eager")
def test_progress_counts_images_up_to_the_last_step() -> None:
    counts: list[int] = []
    batches = array_batches(*halves(20), seed=0)
    train_classifier(batches, image_shape=SHAPE, labels=2, steps=3, seed=0, progress=counts.append)
    assert counts == [BATCH_SIZE, 2 * BATCH_SIZE, 3 * BATCH_SIZE]


@pytest.mark.usefixtures("eager")
def test_the_seed_decides_the_initial_weights() -> None:
    def weights(seed: int) -> Array:
        batches = array_batches(*halves(20), seed=0)
        network = train_classifier(batches, image_shape=SHAPE, labels=2, steps=1, seed=seed)
        return np.concatenate([weight.ravel() for weight in network.get_weights()])

    assert not np.allclose(weights(0), weights(1), atol=1e-3)


def train_and_save(path: Path, *, steps: int, counts: list[int]) -> keras.Model:
    """Train a classifier with a file for its weights, and append the numbers of images that progress is called with."""
    batches = array_batches(*halves(20), seed=0)
    options: dict[str, Any] = {"image_shape": SHAPE, "labels": 2, "seed": 0, "progress": counts.append}
    return train_classifier(batches, **options, steps=steps, saved=path)


@pytest.mark.usefixtures("eager")
def test_a_saved_classifier_is_not_trained_again(tmp_path: Path) -> None:
    first_counts: list[int] = []
    counts: list[int] = []
    path = tmp_path / "classifier.npz"
    path.write_bytes(b"broken: trained and replaced")
    first = train_and_save(path, steps=3, counts=first_counts)
    again = train_and_save(path, steps=3, counts=counts)
    for weight, before in zip(again.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, before)
    assert (len(first_counts), counts) == (3, [3 * BATCH_SIZE])


@pytest.mark.parametrize("broken", ["half", "nothing", "another network"])
def test_a_file_of_weights_that_cannot_be_used_changes_nothing(
    broken: str, trained: keras.Model, tmp_path: Path
) -> None:
    path = tmp_path / "classifier.npz"
    weights = trained.get_weights()
    with path.open("wb") as file:
        np.savez(file, *(weights if broken != "another network" else [np.zeros((3, 3))]))
    if broken != "another network":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if broken == "half" else b"")
    assert not classifier._load_weights(trained, path)
    for weight, before in zip(trained.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("shape", [(1, 1, 1), (64, 40, 3)])
def test_images_of_any_size_can_be_classified(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), dtype=np.uint8)
    network = train_classifier(
        array_batches(images, np.arange(4) % 3, seed=0).map(lambda pixels, labels: (pixels[:4], labels[:4])),
        image_shape=shape,
        labels=3,
        steps=1,
        seed=0,
    )
    assert network.output_shape == (None, 3)
    assert feature_network(network, unit(images)).output_shape == (None, 128)


@pytest.mark.parametrize("brightness", [1.0, 0.01])
def test_features_of_the_reference_images_have_a_mean_square_of_one(trained: keras.Model, brightness: float) -> None:
    images = brightness * unit(halves(50, seed=1)[0])
    features = np.asarray(feature_network(trained, images).predict_on_batch(images))
    assert features.shape == (50, 128)
    assert np.square(features).mean() == pytest.approx(1.0, rel=1e-4)
    other = np.asarray(feature_network(trained, images).predict_on_batch(unit(halves(50, seed=2)[0])))
    assert np.isfinite(other).all()


def test_features_that_are_all_0_stay_finite(trained: keras.Model) -> None:
    network = keras.models.clone_model(trained)
    network.set_weights([0 * weight for weight in trained.get_weights()])
    images = unit(halves(4)[0])
    np.testing.assert_array_equal(feature_network(network, images).predict_on_batch(images), 0)


def test_real_batches_show_what_the_model_sees(make_examples: MakeExamples, noise_images: Callable[..., Array]) -> None:
    pixels = noise_images(300, height=12, width=10)
    labels = [index % 2 for index in range(300)]
    examples = make_examples(pixels, labels=labels, names=SIDES, margin=4, training=300)
    batches = real_batches(TrainingImages(examples), lambda stored: stored[:, 2:-2, 2:-2], seed=0)
    rows = list(batches.unbatch().take(300).as_numpy_iterator())
    images, image_labels = (np.stack(parts) for parts in zip(*rows, strict=True))
    assert images.shape == (300, 8, 6, 1)
    assert images.dtype == np.float32
    # One epoch has each image once, with its own label.
    numbers = [np.abs(unit(pixels[:, 2:-2, 2:-2]) - image).sum(axis=(1, 2, 3)).argmin() for image in images]
    assert sorted(numbers) == list(range(300))
    assert image_labels.tolist() == [labels[number] for number in numbers]


@pytest.mark.parametrize("count", [1, 127, 128, 129])
def test_there_are_batches_for_every_step(
    count: int, make_examples: MakeExamples, noise_images: Callable[..., Array]
) -> None:
    examples = make_examples(noise_images(count), labels=[0] * count, names=SIDES, training=count)
    batches = real_batches(TrainingImages(examples), lambda stored: stored, seed=0)
    steps = steps_for(count)
    assert sum(1 for _ in batches.take(steps)) == steps
    assert next(iter(array_batches(*halves(count), seed=0)))[0].shape == (BATCH_SIZE, *SHAPE)


def test_few_images_are_seen_in_several_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "MAX_SEEN", 12_800)
    monkeypatch.setattr(classifier, "MAX_EPOCHS", 10)
    assert [steps_for(count) for count in (1, 128, 640, 1280, 1_000_000)] == [1, 10, 50, 100, 100]


def test_the_seed_decides_the_order_of_images_in_memory() -> None:
    images, labels = halves(256)

    def epoch(seed: int) -> list[tuple[Array, Array]]:
        return list(array_batches(images, labels, seed=seed).take(2).as_numpy_iterator())

    shuffled, shuffled_labels = (np.concatenate(parts) for parts in zip(*epoch(0), strict=True))
    numbers = [np.abs(unit(images) - image).sum(axis=(1, 2, 3)).argmin() for image in shuffled]
    assert sorted(numbers) == list(range(256)) != numbers
    assert shuffled_labels.tolist() == labels[numbers].tolist()
    np.testing.assert_array_equal(epoch(0)[0][0], shuffled[:BATCH_SIZE])
    assert not np.array_equal(epoch(1)[0][0], shuffled[:BATCH_SIZE])


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([0, 1, 0, 1], None),
        ([-1, -1, -1, -1], "the training images have no labels"),
        ([0, 1, -1, 1], "some training images have no label"),
        ([1, 1, -1, 1], "some training images have no label"),
        ([1, 1, 1, 1], "all training images have the same label"),
    ],
)
def test_labels_that_cannot_be_learned_have_a_reason(
    labels: list[int], why: str | None, make_examples: MakeExamples, noise_images: Callable[..., Array]
) -> None:
    # The last two images are in the test split alone, and do not count.
    examples = make_examples(noise_images(6), labels=[*labels, -1, 0], names=SIDES, training=4)
    assert unlabelled(TrainingImages(examples).statistics) == why


def test_examples_without_label_names_have_no_labels(make_examples: MakeExamples) -> None:
    assert unlabelled(TrainingImages(make_examples(training=20)).statistics) == "the training images have no labels"
