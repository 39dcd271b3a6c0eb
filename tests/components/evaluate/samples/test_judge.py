"""New images are judged: what is found of them, and what is left out and why. Most images here are those of `ring`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.ring import SHAPE, Bars, judged, load, ring_images, ring_vae, samplers, spaces

from components.evaluate.samples import judge
from components.evaluate.samples.distances import Compared
from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.judge import Judgement, document
from components.evaluate.samples.privacy import Memorisation
from components.evaluate.samples.usefulness import Usefulness
from models.code_samplers import Normal
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]

SIDES = ("dark", "bright")  # labels: of the left half
UNLABELLED = "the training images have no labels"
NOT_CONDITIONAL = "the model makes images without labels (model.conditional: true makes one that takes them)"

pytestmark = pytest.mark.usefixtures("quick_judge")


@pytest.fixture(scope="module")
def labelled_ring(make_examples: MakeExamples) -> Examples:
    """Images on a ring, with labels."""
    images, labels = ring_images()
    return make_examples(images, labels=labels, names=SIDES, training=200, validation=100)


@pytest.fixture(scope="module")
def labelled(quick_judge: None, labelled_ring: Examples) -> Judgement:
    """Of a model without labels, on images with labels."""
    return judged(ring_vae(), labelled_ring)


@pytest.fixture(scope="module")
def noise(quick_judge: None, make_examples: MakeExamples, make_model: MakeModel) -> tuple[Examples, VAE, Judgement]:
    """Of a model that nobody trained: thirty test images, twenty of them in the training split, too."""
    examples = make_examples(training=20)
    vae = load(make_model(examples))
    return examples, vae, judged(vae, examples)


@pytest.fixture(scope="module")
def conditional(
    quick_judge: None, make_examples: MakeExamples, make_model: MakeModel, bars: dict[str, Bars]
) -> tuple[Examples, VAE, Judgement]:
    """Of a conditional model that nobody trained."""
    examples = make_examples(labels=[0, 1] * 15, names=("hat", "shoe"), training=20)
    vae = load(make_model(examples, conditional=True))
    return examples, vae, judged(vae, examples, bar=bars["conditional"])


def assert_nothing(found: Judgement, why: str) -> None:
    """Nothing is judged, and each part says why."""
    assert found == Judgement(found.sampler, why, "", why, why, why)
    assert isinstance(found.sampler, Normal)
    names = ("distances", "samplers", "usefulness", "memorisation")
    assert document(found) == {name: {"left_out": why} for name in names}


@pytest.mark.parametrize(("training", "images"), [(0, 30), (5, 30), (4, 4)])
def test_too_few_images_are_said(
    training: int, images: int, make_examples: MakeExamples, make_model: MakeModel, noise_images: Callable[..., Any]
) -> None:
    examples = make_examples(noise_images(images), training=training)
    found = judged(load(make_model(examples)), examples)
    assert_nothing(found, f"distances need more than 5 test and training images, and there are {training}")


def test_a_plain_autoencoder_has_no_new_images(ring: Examples) -> None:
    vae = ring_vae()
    vae.kl = "none"
    assert_nothing(judged(vae, ring), "a plain autoencoder has no distribution to draw new images from")


def test_nobody_has_to_ask_for_it(ring: Examples) -> None:
    bars = Bars()
    assert_nothing(judged(ring_vae(), ring, most=0, bar=bars), "evaluate.distance_images is 0")
    assert bars.told == {}


def test_one_image_more_than_too_few_is_enough(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(training=6)
    assert spaces(judged(load(make_model(examples)), examples))["random"].images == 6


def test_sets_are_compared_at_one_size(noise: tuple[Examples, VAE, Judgement]) -> None:
    examples, vae, found = noise
    assert spaces(found)["random"].images == 20
    fewer = judged(vae, examples, most=10)
    assert spaces(fewer)["random"].images == 10
    assert isinstance(fewer.memorisation, Memorisation)
    assert (fewer.memorisation.images, fewer.memorisation.training) == (10, 20)


def test_training_images_that_are_the_test_images_are_the_lowest_floor(noise: tuple[Examples, VAE, Judgement]) -> None:
    floor = spaces(noise[2])["random"].floor
    assert floor.frechet == pytest.approx(0.0, abs=1e-4)
    assert (floor.manifold.precision, floor.manifold.recall, floor.manifold.coverage) == (1.0, 1.0, 1.0)


def test_an_untrained_model_is_far_from_it(noise: tuple[Examples, VAE, Judgement]) -> None:
    distances = spaces(noise[2])["random"]
    assert distances.synthetic.frechet > 10 * distances.floor.frechet + 0.01
    assert distances.synthetic.manifold.recall < 0.5  # all its images look alike


def test_a_model_that_knows_its_images_is_near_it(plain: Judgement) -> None:
    distances = spaces(plain)["random"]
    assert distances.images == 200
    assert distances.synthetic.manifold.coverage > 0.9
    assert distances.synthetic.frechet < 0.1 * samplers(plain)["normal"].frechet


def test_the_seed_decides(noise: tuple[Examples, VAE, Judgement]) -> None:
    examples, vae, found = noise
    assert document(judged(vae, examples)) == document(found)
    other = judged(vae, examples, seed=1)
    assert samplers(other)["normal"].frechet != samplers(found)["normal"].frechet
    assert spaces(other)["random"].floor.frechet == spaces(found)["random"].floor.frechet


def test_the_seed_decides_what_classifiers_learn(conditional: tuple[Examples, VAE, Judgement]) -> None:
    examples, vae, found = conditional
    other = judged(vae, examples, seed=1)
    assert spaces(other)["classifier"].space.digest != spaces(found)["classifier"].space.digest
    assert spaces(other)["random"].space.digest == spaces(found)["random"].space.digest


def test_classifiers_that_are_kept_find_the_same(conditional: tuple[Examples, VAE, Judgement], tmp_path: Path) -> None:
    examples, vae, found = conditional
    written = []
    for _ in range(2):
        assert document(judged(vae, examples, kept=tmp_path)) == document(found)
        written.append({path.name: path.stat().st_ino for path in tmp_path.iterdir()})
    assert written[0] == written[1]  # nothing was trained, and written, again
    assert sorted(written[0]) == ["classifier-both.npz", "classifier-new.npz", "classifier.npz"]


def test_images_with_labels_have_a_classifiers_space_as_well(plain: Judgement, labelled: Judgement) -> None:
    assert list(spaces(plain)) == ["random"]
    assert list(spaces(labelled)) == ["random", "classifier"]
    assert (plain.space, labelled.space) == ("random", "classifier")
    assert spaces(labelled)["random"].floor == spaces(plain)["random"].floor


def test_without_labels_everything_else_stands(plain: Judgement) -> None:
    assert plain.usefulness == UNLABELLED
    assert isinstance(plain.memorisation, Memorisation)
    assert list(samplers(plain)) == ["normal", "uniform", "mixture", "posterior"]
    assert document(plain)["usefulness"] == {"left_out": UNLABELLED}


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([0] * 30, "all training images have the same label"),
        ([index % 3 - 1 for index in range(30)], "some training images have no label"),
        ([-1] * 30, UNLABELLED),
        ([-1] * 20 + [0, 1] * 5, UNLABELLED),  # test images alone have any
    ],
)
def test_labels_that_teach_nothing_are_as_none(
    labels: list[int], why: str, make_examples: MakeExamples, make_model: MakeModel
) -> None:
    examples = make_examples(labels=labels, names=("hat", "shoe"), training=20)
    found = judged(load(make_model(examples)), examples)
    assert found.usefulness == why
    assert list(spaces(found)) == ["random"]
    assert found.space == "random"
    assert isinstance(found.memorisation, Memorisation)


def test_a_model_without_labels_teaches_no_classifier(labelled: Judgement) -> None:
    assert labelled.usefulness == NOT_CONDITIONAL


def test_a_conditional_models_images_are_tried_for_training(conditional: tuple[Examples, VAE, Judgement]) -> None:
    useful = conditional[2].usefulness
    assert isinstance(useful, Usefulness)
    assert (useful.images, useful.test_images) == (20, 30)
    assert list(spaces(conditional[2])) == ["random", "classifier"]


def without_numbers(space: FeatureSpace) -> FeatureSpace:
    """The same space, in which no feature is a number."""
    return replace(space, features=lambda images: np.full_like(space.features(images), np.nan))


@pytest.mark.parametrize(("broken", "left"), [("random", "classifier"), ("classifier", "random")])
def test_a_space_without_numbers_leaves_out_itself_alone(
    broken: str, left: str, labelled_ring: Examples, labelled: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = getattr(judge, f"{broken}_space")
    monkeypatch.setattr(judge, f"{broken}_space", lambda *given: without_numbers(make(*given)))
    found = judged(ring_vae(), labelled_ring)
    assert list(spaces(found)) == [left]
    assert isinstance(found.compared, Compared)
    assert found.compared.left_out == {broken: "the features of some image are not finite numbers"}
    assert spaces(found)[left].floor.frechet == spaces(labelled)[left].floor.frechet
    json.dumps(document(found), allow_nan=False)


def test_images_that_are_all_the_same_are_said(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(np.full((10, *SHAPE), 7, np.uint8), training=10)
    found = judged(load(make_model(examples)), examples)
    why = {"random": "all test images have the same features", "classifier": UNLABELLED}
    assert found.compared == Compared((), why)
    assert found.memorisation == "all training images are the same"
    json.dumps(document(found), allow_nan=False)


def test_images_are_judged_at_their_centre(make_examples: MakeExamples, make_model: MakeModel) -> None:
    images = np.random.default_rng(7).integers(0, 256, (30, 12, 10, 1), dtype=np.uint8)
    options: dict[str, Any] = {"labels": [0, 1] * 15, "names": SIDES, "training": 20}
    found = []
    for examples in (make_examples(images, margin=4, **options), make_examples(images[:, 2:-2, 2:-2], **options)):
        found.append(document(judged(load(make_model(examples, conditional=True)), examples)))
    assert found[0] == found[1]


@pytest.mark.usefixtures("plain", "conditional")
@pytest.mark.parametrize(
    ("name", "descriptions"),
    [
        ("plain", ["samplers", "distances", "copies"]),
        ("conditional", ["classifier", "samplers", "distances", "copies", "usefulness"]),
    ],
)
def test_bars_end_at_their_totals(name: str, descriptions: list[str], bars: dict[str, Bars]) -> None:
    assert list(bars[name].told) == descriptions
    for total, done in bars[name].told.values():
        assert done == sorted(done)
        assert done[-1] == total


def test_the_document_names_all_that_was_tried(
    labelled: Judgement, conditional: tuple[Examples, VAE, Judgement]
) -> None:
    said = document(labelled)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert list(said) == ["distances", "samplers", "usefulness", "memorisation"]
    assert list(said["distances"]) == ["random", "classifier"]
    tried = said["samplers"]
    assert (tried["chosen"], tried["space"]) == (labelled.sampler.kind, "classifier")
    for kind in ("normal", "uniform", "mixture", "posterior"):
        assert set(tried[kind]) == {"held_out", "kernel", "frechet"}
    assert set(said["memorisation"]) >= {"exact", "near", "flagged", "verdict"}
    assert set(document(conditional[2])["usefulness"]) >= {"real", "synthetic", "both", "ratio"}
