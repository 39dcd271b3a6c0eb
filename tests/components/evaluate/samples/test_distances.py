"""New images are compared with test images in every feature space, or the reason is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.evaluate.samples.distances import Compared, Distances, compare, document
from components.evaluate.samples.features import FeatureSpace

Array = np.ndarray[Any, Any]
DIMS = 3  # features of an image


def make_space(name: str) -> FeatureSpace:
    """Return a feature space whose function is not called."""
    return FeatureSpace(name, f"what {name} stands for", f"digest of {name}", lambda images: images)


SPACES = [make_space("first"), make_space("second")]


def draw(seed: int, *, count: int = 30, centre: float = 0.0, width: float = 1.0) -> Array:
    """Draw features of images: [N, D]."""
    features = centre + width * np.random.default_rng(seed).standard_normal((count, DIMS))
    return features.astype(np.float32)


def compare_in_one_space(test: Array, training: Array, synthetic: Array, *, seed: int = 0) -> Distances:
    compared = compare(
        SPACES[:1], test=[test], others=[training], floor_split="validation", synthetic=[synthetic], seed=seed
    )
    assert compared.left_out == {}
    [distances] = compared.distances
    return distances


def test_every_space_has_its_own_distances() -> None:
    test, other = draw(0), draw(1)
    first, second = compare(
        SPACES, test=[test, test], others=[other, other], floor_split="validation", synthetic=[other, test], seed=0
    ).distances
    assert (first.space.name, second.space.name) == ("first", "second")
    assert (first.images, second.images) == (30, 30)
    assert first.synthetic == first.floor == second.floor
    assert second.synthetic.frechet == pytest.approx(0.0, abs=1e-4)


def test_training_images_that_are_the_test_images_have_the_lowest_floor() -> None:
    floor = compare_in_one_space(draw(0), draw(0), draw(1)).floor
    assert floor.frechet == pytest.approx(0.0, abs=1e-4)
    assert (floor.manifold.precision, floor.manifold.recall, floor.manifold.coverage) == (1.0, 1.0, 1.0)


def test_new_images_that_all_look_alike_are_far_from_test_images() -> None:
    synthetic = draw(2, count=300, centre=0.5, width=0.01)
    distances = compare_in_one_space(draw(0, count=300), draw(1, count=300), synthetic)
    assert distances.synthetic.frechet > 10 * distances.floor.frechet > 0
    assert distances.synthetic.kernel.value > distances.floor.kernel.value
    assert distances.synthetic.manifold.recall < 0.1


def test_the_seed_decides_the_kernel_distances_blocks_and_nothing_else() -> None:
    sets = [draw(seed, count=2000) for seed in range(3)]  # two blocks
    first, again, other = (compare_in_one_space(*sets, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.synthetic.kernel != other.synthetic.kernel
    assert (first.synthetic.frechet, first.synthetic.manifold) == (other.synthetic.frechet, other.synthetic.manifold)


def test_test_images_that_are_all_the_same_leave_out_a_space() -> None:
    same = np.full((30, DIMS), 0.7, np.float32)
    compared = compare(SPACES[:1], test=[same], others=[draw(0)], floor_split="validation", synthetic=[draw(1)], seed=0)
    assert compared == Compared((), {"first": "all test images have the same features"})


@pytest.mark.parametrize("broken", ["test", "others", "synthetic"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_leave_out_their_space_alone(broken: str, value: float) -> None:
    sets = {name: [draw(seed), draw(seed)] for seed, name in enumerate(("test", "others", "synthetic"))}
    sets[broken][0] = sets[broken][0].copy()
    sets[broken][0][3, 1] = value
    compared = compare(SPACES, **sets, floor_split="validation", seed=0)
    assert [distances.space.name for distances in compared.distances] == ["second"]
    assert compared.left_out == {"first": "the features of some image are not finite numbers"}


def test_the_document_names_the_network_and_the_numbers() -> None:
    distances = compare_in_one_space(draw(0), draw(1), draw(2))
    [(name, content)] = document(Compared((distances,), {})).items()
    assert name == "first"
    assert content["space"] == "what first stands for"
    assert content["images"] == 30
    assert content["network_sha256"] == SPACES[0].digest != SPACES[1].digest
    for side in ("synthetic", "floor"):
        assert set(content[side]) == {"frechet", "kernel", "precision", "recall", "density", "coverage"}
    assert content["synthetic"]["kernel"]["low"] is None  # one block of images has no interval
    assert content["synthetic"]["frechet"] == pytest.approx(distances.synthetic.frechet, rel=1e-5)


def test_the_document_gives_the_reason_for_a_space_that_is_left_out() -> None:
    distances = compare_in_one_space(draw(0), draw(1), draw(2))
    content = document(Compared((distances,), {"second": "there is a reason"}))
    assert list(content) == ["first", "second"]
    assert content["second"] == {"left_out": "there is a reason"}


def test_the_document_may_hold_the_reason_instead() -> None:
    assert document("there is a reason") == {"left_out": "there is a reason"}
