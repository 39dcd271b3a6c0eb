"""The images and codes that every run's generator is shown, the same for all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.generators_here import run_here
from helpers.runs_by_hand import SHARED, picture, write_run

from components.images.prepare import prepare_image
from pipeline.tools.compare import images
from pipeline.tools.compare.images import Outputs, choose_test_images, inputs_of, run_generators
from pipeline.tools.compare.process import COUNT, run_generator, shared_codes
from pipeline.tools.compare.runs import read_runs
from schemas.artifacts.kinds import Generator
from schemas.recipe.recipe import Recipe


@pytest.fixture(scope="module")
def outputs(shelf: Path) -> dict[str, Outputs]:
    """Return the outputs of the generators of grey, twin and colour."""
    runs = read_runs(["grey", "twin", "colour"], runs=shelf)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "run_module", run_here)
        return {output.run.name: output for output in run_generators(runs, choose_test_images(runs))}


def test_every_run_gets_the_same_images_and_codes(outputs: dict[str, Outputs], shelf: Path) -> None:
    grey, twin = outputs["grey"], outputs["twin"]
    assert grey.inputs.images is not None
    assert twin.inputs.images is not None
    # 0 and 1 are skipped: colour was trained on them.
    np.testing.assert_array_equal(grey.inputs.images, [picture(number) for number in range(2, 12)])
    np.testing.assert_array_equal(twin.inputs.images, grey.inputs.images)
    labels = np.zeros(0, np.int64)
    alone = run_generator(
        shelf / "grey" / "generator" / "saved_model",
        images=grey.inputs.images,
        labels=labels,
        scatter_images=grey.inputs.images,
        scatter_labels=labels,
    )
    for name in ("reconstructed", "decoded", "sampled", "codes"):
        assert len(getattr(grey, name)) == COUNT
        np.testing.assert_array_equal(getattr(twin, name), getattr(grey, name))  # it is the same generator
        np.testing.assert_array_equal(alone[name], getattr(grey, name))
    assert outputs["colour"].codes.shape == grey.codes.shape == (COUNT, 3)
    assert grey.latent_dim == outputs["colour"].latent_dim == 3
    assert (shared_codes(3) == shared_codes(3)).all()


def test_an_image_is_seen_as_the_runs_own_examples_have_it_or_as_its_recipe_makes_it(
    outputs: dict[str, Outputs], shelf: Path
) -> None:
    inputs = outputs["colour"].inputs
    assert inputs.images is not None
    preprocess = Recipe.model_validate(Generator(shelf / "colour" / "generator").manifest.recipe).preprocess
    for place, number in enumerate(range(2, 12)):
        expected = picture(number, channels=3) if number in SHARED else prepare_image(picture(number), preprocess)
        np.testing.assert_array_equal(inputs.images[place], expected)
    assert inputs.note == (
        "6 images as its own Examples have them; the others are of grey’s test split, brought from 8 × 8 grey to 8 × 8 RGB as "
        "its recipe says."
    )


def test_images_that_another_run_was_trained_on_are_shown_where_there_are_no_others(copied: Path) -> None:
    recipe = Recipe.model_validate(Generator(copied / "colour" / "generator").manifest.recipe)
    for name in ("examples", "evaluation"):
        shutil.rmtree(copied / "colour" / name)
    write_run(copied / "colour", recipe, test=[80], train=range(12))
    runs = read_runs(["grey", "colour"], runs=copied)
    test_images = choose_test_images(runs)
    assert test_images is not None
    assert (len(test_images.images), test_images.skipped) == (12, "")
    inputs = inputs_of(runs[1], Generator(copied / "colour" / "generator"), test_images.first(COUNT))
    assert inputs.note.endswith("It was trained on 10 of them.")
