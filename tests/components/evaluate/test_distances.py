"""New images beside test images: what is compared, at which numbers, and when nothing can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.distances import Distances, document, measure_distances
from components.evaluate.new_images import new_images
from models.vae import VAE
from schemas.artifacts import Examples, Model

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]


def load(model: Model) -> VAE:
    return keras.models.load_model(model.vae_path, compile=False, safe_mode=True)


def distances_of(examples: Examples, vae: VAE, **options: Any) -> Any:
    return measure_distances(vae, examples=examples, **{"seed": 0, "most": 1000, **options})


@pytest.fixture(scope="module")
def found(make_examples: MakeExamples, make_model: MakeModel) -> tuple[Examples, VAE, Distances]:
    """Thirty test images, twenty of them in the training split, too."""
    examples = make_examples(training=20)
    vae = load(make_model(examples))
    return examples, vae, distances_of(examples, vae)


def test_sets_are_compared_at_one_size(found: tuple[Examples, VAE, Distances]) -> None:
    examples, vae, distances = found
    assert distances.images == 20
    assert distances_of(examples, vae, most=10).images == 10


def test_training_images_that_are_the_test_images_are_the_lowest_floor(found: tuple[Examples, VAE, Distances]) -> None:
    floor = found[2].floor
    assert floor.frechet == pytest.approx(0.0, abs=1e-4)
    assert (floor.manifold.precision, floor.manifold.recall, floor.manifold.coverage) == (1.0, 1.0, 1.0)


def test_an_untrained_model_is_far_from_it(found: tuple[Examples, VAE, Distances]) -> None:
    synthetic = found[2].synthetic
    assert synthetic.frechet > 10 * found[2].floor.frechet + 0.01
    assert synthetic.manifold.recall < 0.5  # all its images look alike


def test_the_seed_decides_the_new_images(found: tuple[Examples, VAE, Distances]) -> None:
    examples, vae, distances = found
    assert document(distances_of(examples, vae)) == document(distances)
    assert document(distances_of(examples, vae, seed=1)) != document(distances)
    assert distances_of(examples, vae, seed=1).floor.frechet == distances.floor.frechet


def test_progress_counts_all_three_sets(found: tuple[Examples, VAE, Distances]) -> None:
    told: list[int] = []
    distances_of(found[0], found[1], progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 60


def test_the_document_names_the_network_and_the_numbers(found: tuple[Examples, VAE, Distances]) -> None:
    [(name, said)] = document(found[2]).items()
    assert name == "random"
    assert said["images"] == 20
    assert said["network_sha256"] == found[2].space.digest
    assert set(said["synthetic"]) == {"frechet", "kernel", "precision", "recall", "density", "coverage"}
    assert said["synthetic"]["kernel"]["low"] is None  # one block of images has no interval


@pytest.mark.parametrize(("training", "images"), [(0, 30), (5, 30), (4, 4)])
def test_too_few_images_are_said(
    training: int, images: int, make_examples: MakeExamples, make_model: MakeModel, noise_images: Callable[..., Any]
) -> None:
    examples = make_examples(noise_images(images), training=training)
    said = distances_of(examples, load(make_model(examples)))
    assert said == f"distances need more than 5 test and training images, and there are {training}"
    assert document(said) == {"left_out": said}


def test_images_that_are_all_the_same_are_said(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(np.full((10, 8, 8, 1), 7, np.uint8), training=10)
    assert distances_of(examples, load(make_model(examples))) == "all test images are the same"


def test_a_plain_autoencoder_has_no_new_images(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(training=20)
    vae = load(make_model(examples))
    vae.kl = "none"
    assert "no distribution to draw new images from" in distances_of(examples, vae)


def test_a_conditional_models_new_images_are_of_every_label(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(labels=[0, 1] * 15, names=("hat", "shoe"), training=20)
    vae = load(make_model(examples, conditional=True))
    images = np.concatenate(list(new_images(vae, count=10, seed=0)))
    assert images.shape == (10, 8, 8, 1)
    assert distances_of(examples, vae).images == 20
