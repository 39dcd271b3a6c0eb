"""The sets that a model is judged by: real images as the network sees them, reconstructions, and orders of images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers.ring import Judged, ring_images, ring_vae

from components.evaluate.samples.image_sets import ImageSets
from components.examples.training_images import TrainingImages
from schemas.artifacts.kinds import Examples


@pytest.fixture(scope="module")
def sets(ring: Judged) -> ImageSets:
    """Return the sets of the ring's model, which makes its images again."""
    return ImageSets(ring.vae, TrainingImages(ring.examples), seed=0)


def test_real_images_are_those_of_the_split_on_a_scale_of_0_to_1(sets: ImageSets) -> None:
    images = np.concatenate(list(sets.real("test", 30)))
    assert images.shape == (30, 8, 8, 1)
    np.testing.assert_allclose(images * 255, np.rint(images * 255), atol=1e-4)


def test_a_model_that_makes_its_images_again_reconstructs_them(sets: ImageSets) -> None:
    real, again = (np.concatenate(list(images("validation", 50))) for images in (sets.real, sets.reconstructed))
    np.testing.assert_allclose(again, real, atol=0.02)


def test_images_of_a_label_stand_beside_each_other(make_examples: Callable[..., Examples]) -> None:
    images, labels = ring_images(40)
    examples = make_examples(images, labels=labels, names=("dark", "bright"), training=40)
    order = ImageSets(ring_vae(), TrainingImages(examples), seed=0).order("modes", "test", 40)
    assert sorted(order.tolist()) == list(range(40))
    # Which half is bright decides the label.
    left = np.concatenate(list(ImageSets(ring_vae(), TrainingImages(examples), 0).real("test", 40)))[order][:, 0, 0, 0]
    assert np.count_nonzero(np.diff(left > 0.5)) == 1


def test_copies_are_of_the_first_images(sets: ImageSets) -> None:
    assert sets.order("copies", "test", 5).tolist() == [0, 1, 2, 3, 4]
