"""The pixels that a generator is shown, and the labels that it takes with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import by_hand, numbered_examples
from helpers.runs_by_hand import picture, sha256, write_run

from pipeline.tools.compare.images import Chosen, choose, shown_to, stored_images
from pipeline.tools.compare.process import COUNT, asked
from pipeline.tools.compare.runs import read_runs
from schemas.artifacts.kinds import Generator


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_stored_images_are_pixels_again(store: str, tmp_path: Path) -> None:
    examples = numbered_examples.write_examples(tmp_path, store=store)
    wanted = {"3.png", "7.png", "20.png"}
    found = list(stored_images(examples, wanted, shards=examples.shards("test")))
    assert [key for key, _, _ in found] == ["3.png", "7.png", "20.png"]
    assert [label for _, _, label in found] == [None, "cat", "dog"]
    for number, (_, pixels, _) in zip((3, 7, 20), found, strict=True):
        np.testing.assert_array_equal(pixels, numbered_examples.image(number))


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Generator, Chosen]:
    """A generator that takes the labels cat and dog, and test images of these, of two runs with the same Examples."""
    recipe = by_hand.write_recipe(tmp_path, "any")
    for name in ("a", "b"):
        write_run(tmp_path / name, recipe, labels=["dog", "cat"])
    generator = Generator(tmp_path / "a" / "generator")
    generator.labels_path.parent.mkdir(parents=True)
    generator.labels_path.write_text(json.dumps(["cat", "dog"]))
    by_hand.seal(generator, recipe)
    chosen = choose(read_runs(["a", "b"], runs=tmp_path))
    assert chosen is not None
    return generator, chosen


def test_a_generator_gets_labels_by_its_own_numbers(labelled: tuple[Generator, Chosen]) -> None:
    generator, chosen = labelled
    images, numbers, note = shown_to(chosen.run, generator, chosen)
    assert images is chosen.images
    assert chosen.sha256 == [sha256(number) for number in range(10)]
    assert chosen.labels == ["dog", "cat"] * 5
    assert numbers.tolist() == [1, 0] * 5
    assert note == ""


def test_a_generator_that_does_not_know_a_label_is_left_out(labelled: tuple[Generator, Chosen]) -> None:
    generator, chosen = labelled
    generator.labels_path.write_text(json.dumps(["cat", "bird"]))
    images, _, note = shown_to(chosen.run, generator, chosen)
    assert images is None
    assert note == "it takes labels, and knows none called dog"


def test_a_conditional_generator_is_asked_with_labels(tmp_path: Path) -> None:
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
    found = [asked(tmp_path / "saved_model", images, np.full(4, label, np.int64)) for label in (0, 1)]
    assert found[0]["latent_dim"] == 3
    assert found[0]["reconstructed"].shape == (4, size, size, 1)
    assert found[0]["decoded"].shape == found[0]["sampled"].shape == (COUNT, size, size, 1)
    assert (found[0]["reconstructed"] != found[1]["reconstructed"]).any()
    np.testing.assert_array_equal(found[0]["sampled"], found[1]["sampled"])
