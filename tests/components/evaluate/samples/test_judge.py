"""New images are judged: what is measured, and what is left out and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from helpers.ring import SHAPE, Bars, Judged, distances_by_space, judge_small, load, results_by_sampler, ring_vae

from components.evaluate.samples import judge
from components.evaluate.samples.distances import Compared
from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.judgement import Judgement, document
from components.evaluate.samples.privacy import Memorisation
from components.evaluate.samples.quality import Quality
from components.evaluate.samples.usefulness import Usefulness
from models.code_samplers import Normal
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import DataError

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]

UNLABELLED = "the training images have no labels"
NOT_CONDITIONAL = "the model makes images without labels (model.conditional: true makes one that takes them)"

pytestmark = pytest.mark.xdist_group("judge")


def assert_nothing_judged(judgement: Judgement, why: str) -> None:
    """Nothing is judged, and each part gives the reason."""
    assert judgement == Judgement(judgement.sampler, why, "", why, why, why, why)
    assert isinstance(judgement.sampler, Normal)
    names = ("quality", "distances", "samplers", "usefulness", "memorisation")
    assert document(judgement) == {name: {"left_out": why} for name in names}


@pytest.mark.parametrize(("training", "images"), [(0, 30), (5, 30), (4, 4)])
def test_too_few_images_are_not_judged(
    training: int, images: int, make_examples: MakeExamples, noise_images: Callable[..., Any]
) -> None:
    examples = make_examples(noise_images(images), training=training)
    why = f"distances need more than 5 test and training images, and there are {training}"
    assert_nothing_judged(judge_small(ring_vae(), examples), why)


@pytest.mark.parametrize(
    ("max_images", "why"),
    [
        (0, "evaluate.distance_images is 0"),
        (5, "distances need more than 5 images, and evaluate.distance_images is 5"),
    ],
)
def test_a_recipe_may_leave_judging_out(max_images: int, why: str, ring: Judged) -> None:
    bars = Bars()
    assert_nothing_judged(judge_small(ring.vae, ring.examples, max_images=max_images, bar=bars), why)
    assert bars.updates == {}


def test_a_plain_autoencoder_has_no_new_images(ring: Judged) -> None:
    vae = ring_vae()
    vae.kl = "none"
    why = "a plain autoencoder has no distribution to draw new images from"
    assert_nothing_judged(judge_small(vae, ring.examples), why)


def test_a_fitted_sampler_needs_images_to_be_fitted_to(ring: Judged) -> None:
    message = r"^evaluate\.sampler: expected normal or auto, found mixture, which cannot be fitted: .* is 0$"
    with pytest.raises(DataError, match=message):
        judge_small(ring.vae, ring.examples, max_images=0, sampler="mixture")


def test_six_images_are_enough(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(training=6)
    judgement = judge_small(load(make_model(examples)), examples)
    assert distances_by_space(judgement)["random"].images == 6


def test_sets_are_compared_at_one_size(conditional: Judged, ring: Judged) -> None:
    assert distances_by_space(conditional.judgement)["random"].images == 20
    fewer = judge_small(ring.vae, ring.examples, max_images=10)
    assert distances_by_space(fewer)["random"].images == 10
    assert isinstance(fewer.memorisation, Memorisation)
    assert (fewer.memorisation.images, fewer.memorisation.training) == (10, 200)


def test_training_images_that_are_the_test_images_have_the_lowest_floor(conditional: Judged) -> None:
    floor = distances_by_space(conditional.judgement)["random"].floor
    assert floor.frechet == pytest.approx(0.0, abs=1e-4)
    assert (floor.manifold.precision, floor.manifold.recall, floor.manifold.coverage) == (1.0, 1.0, 1.0)


def test_new_images_of_an_untrained_model_are_far_from_test_images(conditional: Judged) -> None:
    distances = distances_by_space(conditional.judgement)["random"]
    assert distances.synthetic.frechet > 10 * distances.floor.frechet + 0.01
    assert distances.synthetic.manifold.recall < 0.5  # all its images look alike


def test_new_images_of_a_model_that_knows_its_images_are_near_test_images(ring: Judged) -> None:
    distances = distances_by_space(ring.judgement)["random"]
    assert distances.images == 100  # as many as validation images, which are the floor
    assert distances.synthetic.manifold.coverage > 0.9
    assert distances.synthetic.frechet < 0.1 * results_by_sampler(ring.judgement)["normal"].frechet


def test_the_sampler_nearest_to_validation_images_is_taken(ring: Judged) -> None:
    results = results_by_sampler(ring.judgement)
    assert list(results) == ["normal", "uniform", "mixture", "posterior"]
    held_out = {kind: result.held_out for kind, result in results.items()}
    assert None not in held_out.values()
    assert min(("normal", "uniform", "mixture"), key=held_out.__getitem__) == "mixture"
    assert ring.judgement.sampler is results["mixture"].sampler
    synthetic = distances_by_space(ring.judgement)["random"].synthetic
    assert (synthetic.frechet, synthetic.kernel.value) == (results["mixture"].frechet, results["mixture"].kernel)


def test_quality_is_the_blur_that_images_are_worth(ring: Judged) -> None:
    """The ring's model makes its images again, and new ones from the mixture, without any blur."""
    quality = ring.judgement.quality
    assert isinstance(quality, Quality)
    assert quality.images == 100
    assert [measure.name for measure in quality.measures] == ["patches", "spectrum", "random"]
    content = document(ring.judgement)["quality"]
    assert set(content["measures"]) == {"patches", "spectrum", "random"}
    for measure in content["measures"].values():
        assert set(measure["degraded"]) == {"blur", "noise", "jpeg", "modes", "copies"}
    if quality.worst is not None:
        assert content["blur"]["measure"] == quality.worst.name


def test_too_few_validation_images_tell_nothing_of_blur(conditional: Judged) -> None:
    assert conditional.judgement.quality == (
        "it takes 100 test images and as many validation images, and there are 0 of both"
    )


def test_a_sampler_can_be_named(ring: Judged) -> None:
    """Codes of training images are taken only when they are named."""
    judgement = judge_small(ring.vae, ring.examples, sampler="posterior")
    assert judgement.sampler.kind == "posterior"
    assert document(judgement)["samplers"] == {**document(ring.judgement)["samplers"], "chosen": "posterior"}
    posterior = results_by_sampler(ring.judgement)["posterior"]
    assert distances_by_space(judgement)["random"].synthetic.frechet == posterior.frechet


def test_the_seed_decides(labelled_ring: Judged) -> None:
    other = judge_small(labelled_ring.vae, labelled_ring.examples, seed=1)
    first, second = (results_by_sampler(judgement)["normal"] for judgement in (labelled_ring.judgement, other))
    assert first.frechet != second.frechet
    before, after = (distances_by_space(judgement) for judgement in (labelled_ring.judgement, other))
    assert before["random"].floor.frechet == after["random"].floor.frechet
    assert before["random"].space.digest == after["random"].space.digest
    assert before["classifier"].space.digest != after["classifier"].space.digest


def test_saved_classifiers_are_not_trained_again(conditional: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    assert conditional.work is not None
    files = {path.name: path.stat().st_ino for path in conditional.work.iterdir()}
    assert sorted(files) == ["classifier-both.npz", "classifier-new.npz", "classifier.npz"]
    monkeypatch.setattr(keras.Model, "fit", None)
    again = judge_small(conditional.vae, conditional.examples, work=conditional.work)
    assert document(again) == document(conditional.judgement)
    assert {path.name: path.stat().st_ino for path in conditional.work.iterdir()} == files


def test_labelled_images_have_the_feature_space_of_a_classifier_as_well(ring: Judged, labelled_ring: Judged) -> None:
    without, with_labels = (distances_by_space(judged.judgement) for judged in (ring, labelled_ring))
    assert list(without) == ["random"]
    assert list(with_labels) == ["random", "classifier"]
    assert (ring.judgement.space, labelled_ring.judgement.space) == ("random", "classifier")
    assert with_labels["random"].floor == without["random"].floor


def test_without_labels_everything_but_usefulness_is_judged(ring: Judged) -> None:
    assert ring.judgement.usefulness == UNLABELLED
    assert isinstance(ring.judgement.memorisation, Memorisation)
    assert document(ring.judgement)["usefulness"] == {"left_out": UNLABELLED}


def test_labels_that_cannot_be_learned_are_treated_as_none(make_examples: MakeExamples, make_model: MakeModel) -> None:
    labels = [index % 3 - 1 for index in range(30)]
    examples = make_examples(labels=labels, names=("hat", "shoe"), training=20)
    judgement = judge_small(load(make_model(examples)), examples)
    assert judgement.usefulness == "some training images have no label"
    assert list(distances_by_space(judgement)) == ["random"]
    assert judgement.space == "random"
    assert isinstance(judgement.memorisation, Memorisation)


def test_new_images_without_labels_train_no_classifier(labelled_ring: Judged) -> None:
    assert labelled_ring.judgement.usefulness == NOT_CONDITIONAL


def test_new_images_of_a_conditional_model_train_a_classifier(conditional: Judged) -> None:
    usefulness = conditional.judgement.usefulness
    assert isinstance(usefulness, Usefulness)
    assert (usefulness.images, usefulness.test_images) == (20, 30)
    assert list(distances_by_space(conditional.judgement)) == ["random", "classifier"]


def with_nan(space: FeatureSpace) -> FeatureSpace:
    """Return the same space, whose features are all NaN."""
    return replace(space, features=lambda images: np.full_like(space.features(images), np.nan))


@pytest.mark.parametrize(("broken", "intact"), [("random", "classifier"), ("classifier", "random")])
def test_a_space_whose_features_are_nan_is_left_out_alone(
    broken: str, intact: str, labelled_ring: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_space = getattr(judge, f"{broken}_space")
    monkeypatch.setattr(judge, f"{broken}_space", lambda *args: with_nan(make_space(*args)))
    judgement = judge_small(labelled_ring.vae, labelled_ring.examples, work=labelled_ring.work)
    distances = distances_by_space(judgement)
    assert list(distances) == [intact]
    assert isinstance(judgement.compared, Compared)
    assert judgement.compared.left_out == {broken: "the features of some image are not finite numbers"}
    assert distances[intact].floor.frechet == distances_by_space(labelled_ring.judgement)[intact].floor.frechet
    assert judgement.space == intact
    json.dumps(document(judgement), allow_nan=False)


def test_images_that_are_all_the_same(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(np.full((10, *SHAPE), 7, np.uint8), training=10)
    judgement = judge_small(load(make_model(examples)), examples)
    why = {"random": "all test images have the same features", "classifier": UNLABELLED}
    assert judgement.compared == Compared((), why)
    assert judgement.memorisation == "all training images are the same"
    json.dumps(document(judgement), allow_nan=False)


def test_progress_bars_end_at_their_totals(ring: Judged, conditional: Judged) -> None:
    assert list(ring.bars.updates) == ["samplers", "distances", "scales", "copies", "quality"]
    assert list(conditional.bars.updates) == ["classifier", "samplers", "distances", "copies", "usefulness"]
    for total, counts in [*ring.bars.updates.values(), *conditional.bars.updates.values()]:
        assert counts == sorted(counts)
        assert counts[-1] == total


def test_the_document_names_everything_that_was_judged(labelled_ring: Judged, conditional: Judged) -> None:
    content = document(labelled_ring.judgement)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert list(content) == ["quality", "distances", "samplers", "usefulness", "memorisation"]
    assert list(content["distances"]) == ["random", "classifier"]
    samplers = content["samplers"]
    assert (samplers["chosen"], samplers["space"]) == (labelled_ring.judgement.sampler.kind, "classifier")
    for kind in ("normal", "uniform", "mixture", "posterior"):
        assert set(samplers[kind]) == {"excess_blur", "held_out", "kernel", "frechet"}
    assert set(content["memorisation"]) >= {"exact", "near", "flagged", "verdict"}
    assert set(document(conditional.judgement)["usefulness"]) >= {"real", "synthetic", "both", "ratio"}
