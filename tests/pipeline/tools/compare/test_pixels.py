"""The pixels that a generator is shown, and the labels that it takes with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import by_hand, numbered_examples
from helpers.runs_by_hand import picture, sha256, write_run

from pipeline.tools.compare.images import SharedImages, choose_test_images, inputs_of, stored_images
from pipeline.tools.compare.process import COUNT, run_generator
from pipeline.tools.compare.runs import read_runs
from schemas.artifacts.kinds import Generator


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_stored_images_are_pixels_again(store: str, tmp_path: Path) -> None:
    examples = numbered_examples.write_examples(tmp_path, store=store)
    keys = {"3.png", "7.png", "20.png"}
    stored = list(stored_images(examples, keys, shards=examples.shards("test"), most=10))
    assert [key for key, _, _ in stored] == ["3.png", "7.png", "20.png"]
    assert [label for _, _, label in stored] == [None, "cat", "dog"]
    for number, (_, pixels, _) in zip((3, 7, 20), stored, strict=True):
        np.testing.assert_array_equal(pixels, numbered_examples.image(number))
    assert len(list(stored_images(examples, keys, shards=examples.shards("test"), most=2))) == 2


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Generator, SharedImages]:
    """Return a generator that takes the labels cat and dog, and test images of these, of two runs with the same Examples."""
    recipe = by_hand.write_recipe(tmp_path, "any")
    for name in ("a", "b"):
        write_run(tmp_path / name, recipe, labels=["dog", "cat"])
    generator = Generator(tmp_path / "a" / "generator")
    generator.labels_path.parent.mkdir(parents=True)
    generator.labels_path.write_text(json.dumps(["cat", "dog"]))
    by_hand.seal(generator, recipe)
    test_images = choose_test_images(read_runs(["a", "b"], runs=tmp_path))
    assert test_images is not None
    return generator, test_images.first(COUNT)


def test_a_generator_gets_labels_by_its_own_numbers(labelled: tuple[Generator, SharedImages]) -> None:
    generator, test_images = labelled
    inputs = inputs_of(test_images.run, generator, test_images)
    assert inputs.images is test_images.images
    assert test_images.sha256 == [sha256(number) for number in range(10)]
    assert test_images.labels == ["dog", "cat"] * 5
    assert inputs.labels.tolist() == [1, 0] * 5
    assert inputs.note == ""


def test_a_generator_that_does_not_know_a_label_is_left_out(labelled: tuple[Generator, SharedImages]) -> None:
    generator, test_images = labelled
    generator.labels_path.write_text(json.dumps(["cat", "bird"]))
    inputs = inputs_of(test_images.run, generator, test_images)
    assert inputs.images is None
    assert inputs.note == "it takes labels, and knows none called dog"


def test_a_conditional_generator_runs_with_labels(tmp_path: Path) -> None:
    from components.export.saved_model import write_saved_model
    from models.build import build_vae

    recipe = by_hand.write_recipe(tmp_path, "any")
    size = by_hand.MIXED_SIZE
    counts = {"train": {"cat": 30, "dog": 10}}
    statistics = by_hand.describe(
        size, size, labels=["cat", "dog"], images={"train": 40, "validation": 0, "test": 0}, images_per_label=counts
    )
    vae = build_vae(recipe.model.model_copy(update={"conditional": True}), recipe.loss, statistics, seed=1)
    write_saved_model(vae, tmp_path / "saved_model")
    images = np.stack([picture(number) for number in range(4)])
    cat, dog = (
        run_generator(
            tmp_path / "saved_model",
            images=images,
            labels=np.full(4, label, np.int64),
            scatter_images=images[:3],
            scatter_labels=np.full(3, label, np.int64),
        )
        for label in (0, 1)
    )
    assert cat["latent_dim"] == 3
    assert cat["reconstructed"].shape == (4, size, size, 1)
    assert cat["codes"].shape == (3, 3)
    assert cat["decoded"].shape == cat["sampled"].shape == (COUNT, size, size, 1)
    assert (cat["reconstructed"] != dog["reconstructed"]).any()
    assert (cat["codes"] != dog["codes"]).any()
    np.testing.assert_array_equal(cat["sampled"], dog["sampled"])
