"""New images beside test images, in feature spaces: what is compared, at which numbers, and when nothing can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.samples.distances import Compared, Distances, compare, document
from components.evaluate.samples.features import FeatureSpace

Array = np.ndarray[Any, Any]
DIMS = 3  # features of an image


def make_space(name: str) -> FeatureSpace:
    """A space by name; nobody asks it for features."""
    return FeatureSpace(name, f"what {name} stands for", f"digest of {name}", lambda images: images)


SPACES = [make_space("first"), make_space("second")]


def drawn(seed: int, *, count: int = 30, centre: float = 0.0, width: float = 1.0) -> Array:
    """Features of so many images: [N, D]."""
    found = centre + width * np.random.default_rng(seed).standard_normal((count, DIMS))
    return found.astype(np.float32)


def compared(test: Array, training: Array, synthetic: Array, *, seed: int = 0) -> Distances:
    """In one space."""
    found = compare(SPACES[:1], test=[test], training=[training], synthetic=[synthetic], seed=seed)
    assert found.left_out == {}
    [distances] = found.found
    return distances


def test_every_space_has_its_own_distances() -> None:
    test, other = drawn(0), drawn(1)
    found = compare(SPACES, test=[test, test], training=[other, other], synthetic=[other, test], seed=0)
    assert [distances.space.name for distances in found.found] == ["first", "second"]
    assert [distances.images for distances in found.found] == [30, 30]
    assert found.found[0].synthetic == found.found[0].floor == found.found[1].floor
    assert found.found[1].synthetic.frechet == pytest.approx(0.0, abs=1e-4)


def test_training_images_that_are_the_test_images_are_the_lowest_floor() -> None:
    floor = compared(drawn(0), drawn(0), drawn(1)).floor
    assert floor.frechet == pytest.approx(0.0, abs=1e-4)
    assert (floor.manifold.precision, floor.manifold.recall, floor.manifold.coverage) == (1.0, 1.0, 1.0)


def test_new_images_that_all_look_alike_are_far_from_it() -> None:
    found = compared(drawn(0, count=300), drawn(1, count=300), drawn(2, count=300, centre=0.5, width=0.01))
    assert found.synthetic.frechet > 10 * found.floor.frechet > 0
    assert found.synthetic.kernel.value > found.floor.kernel.value
    assert found.synthetic.manifold.recall < 0.1


def test_the_seed_decides_the_kernel_distances_blocks_and_nothing_else() -> None:
    sets = [drawn(seed, count=2000) for seed in range(3)]  # two blocks
    found = compared(*sets, seed=1)
    assert found == compared(*sets, seed=1)
    other = compared(*sets, seed=2)
    assert found.synthetic.kernel != other.synthetic.kernel
    assert (found.synthetic.frechet, found.synthetic.manifold) == (other.synthetic.frechet, other.synthetic.manifold)


def test_images_that_are_all_the_same_are_said() -> None:
    same = np.full((30, DIMS), 0.7, np.float32)
    found = compare(SPACES[:1], test=[same], training=[drawn(0)], synthetic=[drawn(1)], seed=0)
    assert found == Compared((), {"first": "all test images have the same features"})


@pytest.mark.parametrize("place", ["test", "training", "synthetic"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_leave_out_their_space_alone(place: str, value: float) -> None:
    sets = {name: [drawn(seed), drawn(seed)] for seed, name in enumerate(("test", "training", "synthetic"))}
    sets[place][0] = sets[place][0].copy()
    sets[place][0][3, 1] = value
    found = compare(SPACES, **sets, seed=0)
    assert [distances.space.name for distances in found.found] == ["second"]
    assert found.left_out == {"first": "the features of some image are not finite numbers"}


def test_the_document_names_the_network_and_the_numbers() -> None:
    distances = compared(drawn(0), drawn(1), drawn(2))
    [(name, said)] = document(Compared((distances,), {})).items()
    assert name == "first"
    assert said["space"] == "what first stands for"
    assert said["images"] == 30
    assert said["network_sha256"] == SPACES[0].digest != SPACES[1].digest
    for side in ("synthetic", "floor"):
        assert set(said[side]) == {"frechet", "kernel", "precision", "recall", "density", "coverage"}
    assert said["synthetic"]["kernel"]["low"] is None  # one block of images has no interval
    assert said["synthetic"]["frechet"] == pytest.approx(distances.synthetic.frechet, rel=1e-5)


def test_the_document_says_of_every_space_why_it_is_left_out() -> None:
    distances = compared(drawn(0), drawn(1), drawn(2))
    said = document(Compared((distances,), {"second": "there is a reason"}))
    assert list(said) == ["first", "second"]
    assert said["second"] == {"left_out": "there is a reason"}


def test_the_document_says_why_nothing_was_compared() -> None:
    assert document("there is a reason") == {"left_out": "there is a reason"}
