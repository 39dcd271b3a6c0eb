"""Images, labels and networks for which some metric does not exist.

`metrics.json` and the report say in a line why the metric is left out, a gate that names it fails with the same reason, and
everything else is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.small_evaluation import Evaluation, evaluate_small

from components.evaluate.reconstruction import measure
from components.evaluate.report.gates import check_gates
from components.evaluate.samples import judge
from components.evaluate.samples.features import FeatureSpace
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import DataError
from schemas.recipe.evaluate import Gate

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]
Array = np.ndarray[Any, Any]

MEASURED = (
    "metrics.ssim",
    "metrics.psnr",
    "metrics.elbo",
    "metrics.iwae",
    "metrics.bits_per_dim",
    "latent.aggregate_gap",
)
LATENT = ("latent.active", "latent.smoothness.length")
DISTANCES = (
    *(
        f"distances.random.synthetic.{name}"
        for name in ("frechet", "kernel", "precision", "recall", "density", "coverage")
    ),
    "distances.random.floor.frechet",
)
SAMPLERS = ("samplers.normal.held_out", "samplers.uniform.kernel", "samplers.mixture.frechet")
USEFULNESS = ("usefulness.real", "usefulness.ratio")
MEMORISATION = ("memorisation.closer", "memorisation.flagged")
NEW_IMAGES = (*DISTANCES, *SAMPLERS, *USEFULNESS, *MEMORISATION)

UNLABELLED = "the training images have no labels"
NOT_CONDITIONAL = "the model makes images without labels (model.conditional: true makes one that takes them)"
NOT_FINITE = "the features of some image are not finite numbers"
SAME = "all test images have the same features"
SAME_TRAINING = "all training images are the same"
SAME_LATENT = "test images that are all the same cannot tell how many latent dimensions are in use"
SAME_ENDS = "the images at both ends of every way look the same"


@pytest.fixture
def evaluated(make_model: MakeModel, tmp_path: Path) -> Callable[..., Evaluation]:
    """Return a function that evaluates an untrained model: ``evaluated(examples, sampler="uniform")``."""

    def evaluate(examples: Examples, *, latent_dim: int = 3, conditional: bool = False, **section: Any) -> Evaluation:
        model = make_model(examples, latent_dim=latent_dim, mse=True, conditional=conditional)
        return evaluate_small(examples, model, tmp_path / "evaluation", **section)

    return evaluate


def missing(evaluation: Evaluation) -> dict[str, str]:
    """Return the names that are no numbers in ``metrics.json``, and why."""
    gates = {name: Gate(at_least=-1e300) for name in (*MEASURED, *LATENT, *NEW_IMAGES)}
    return {outcome.gate: outcome.why for outcome in check_gates(gates, evaluation.metrics) if not outcome.passed}


def because(why: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, why)


def test_nothing_is_missing_without_bad_input(whole_evaluation: Evaluation) -> None:
    assert missing(whole_evaluation) == {}


@pytest.mark.parametrize(
    ("names", "conditional", "why"),
    [((), False, UNLABELLED), (("hat",), True, "all training images have the same label")],
)
def test_without_two_labels_no_classifier_is_trained(
    names: Sequence[str], conditional: bool, why: str, make_examples: MakeExamples, evaluated: Callable[..., Evaluation]
) -> None:
    labels = [0] * 30 if names else None
    examples = make_examples(labels=labels, names=tuple(names), training=24, validation=12)
    evaluation = evaluated(examples, conditional=conditional)
    assert missing(evaluation) == because(why, *USEFULNESS)
    assert evaluation.metrics["usefulness"] == {"left_out": why}
    assert f"Not tried for training a classifier: {why}." in evaluation.report


def test_images_that_are_all_black(make_examples: MakeExamples, evaluated: Callable[..., Evaluation]) -> None:
    """A gate that names a metric without a value fails, and gives the reason."""
    left_out = {
        "latent.active": SAME_LATENT,
        "latent.smoothness.length": SAME_ENDS,
        "distances.random.synthetic.frechet": SAME,
        "usefulness.ratio": UNLABELLED,
        "memorisation.flagged": SAME_TRAINING,
    }
    examples = make_examples(np.zeros((10, 8, 8, 1), np.uint8), training=10, validation=10)
    gates = {name: {"at_least": 0} for name in (*left_out, "metrics.mse")}
    evaluation = evaluated(examples, sampler="mixture", gates=gates)
    assert missing(evaluation) == {
        "latent.active": SAME_LATENT,
        "latent.smoothness.length": SAME_ENDS,
        **because(SAME, *DISTANCES),
        **because(UNLABELLED, *USEFULNESS),
        **because(SAME_TRAINING, *MEMORISATION),
    }
    metrics = evaluation.metrics
    assert metrics["samplers"]["chosen"] == "mixture"
    assert metrics["distances"]["random"] == {"left_out": SAME}
    assert metrics["memorisation"] == {"left_out": SAME_TRAINING}
    assert f"Not compared with test images: {SAME}." in evaluation.report
    assert f"Not looked for: {SAME_TRAINING}." in evaluation.report
    assert {gate["gate"]: gate["why"] for gate in metrics["gates"] if not gate["passed"]} == left_out
    for name, why in left_out.items():
        assert f"{name} at least 0 {why} failed" in evaluation.report


def test_images_of_one_grey_each_have_every_metric(
    make_examples: MakeExamples, evaluated: Callable[..., Evaluation]
) -> None:
    greys = np.arange(10, 250, 24, dtype=np.uint8)[:, None, None, None]
    examples = make_examples(np.broadcast_to(greys, (10, 8, 8, 1)), training=10, validation=10)
    assert missing(evaluated(examples)) == because(UNLABELLED, *USEFULNESS)


def test_fewer_images_than_neighbours(
    make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Evaluation]
) -> None:
    evaluation = evaluated(make_examples(noise_images(5), training=5))
    why = "distances need more than 5 test and training images, and there are 5"
    assert missing(evaluation) == because(why, *NEW_IMAGES)
    for part in ("distances", "samplers", "usefulness", "memorisation"):
        assert evaluation.metrics[part] == {"left_out": why}
    for words in ("Not compared with test images", "Not tried for training a classifier", "Not looked for"):
        assert f"{words}: {why}." in evaluation.report


def test_a_single_image(
    make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Evaluation]
) -> None:
    evaluation = evaluated(make_examples(noise_images(1), training=1))
    why = "a single test image cannot tell how many latent dimensions are in use"
    assert missing(evaluation) == {
        "latent.active": why,
        "latent.smoothness.length": "it takes the codes of two test images, and there is 1",
        **because("distances need more than 5 test and training images, and there are 1", *NEW_IMAGES),
    }
    assert evaluation.metrics["latent"]["left_out"] == why
    assert f"A{why[1:]}." in evaluation.report


def test_a_feature_network_that_yields_nan(
    labelled_examples: Examples, evaluated: Callable[..., Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    features_of = judge.features_of

    def with_nan(spaces: Sequence[FeatureSpace], batches: Any) -> list[Array]:
        all_features = features_of(spaces, batches)
        for space, features in zip(spaces, all_features, strict=True):
            if space.name == "random":
                features[3, 1] = np.nan
        return all_features

    monkeypatch.setattr(judge, "features_of", with_nan)
    evaluation = evaluated(labelled_examples)
    assert missing(evaluation) == because(NOT_FINITE, *DISTANCES) | because(NOT_CONDITIONAL, *USEFULNESS)
    assert evaluation.metrics["distances"]["random"] == {"left_out": NOT_FINITE}
    assert f"Nothing in the features “random”: {NOT_FINITE}." in evaluation.report
    assert evaluation.metrics["distances"]["classifier"]["synthetic"]["frechet"] >= 0
    assert evaluation.metrics["samplers"]["space"] == "classifier"


def test_a_mixture_of_fewer_codes_than_dimensions(
    make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Evaluation]
) -> None:
    examples = make_examples(noise_images(12), training=12, validation=12)
    evaluation = evaluated(examples, latent_dim=20, sampler="mixture", flow_steps=2)
    assert missing(evaluation) == because(UNLABELLED, *USEFULNESS)
    assert evaluation.metrics["samplers"]["chosen"] == "mixture"
    too_few = "a flow takes 500 training images, and there are 12"
    assert evaluation.metrics["samplers"]["why_no_flow"] == too_few
    assert f"flow    left out: {too_few}\n" in evaluation.console
    assert f"The flow: not used: {too_few}." in evaluation.report
    assert "a Gaussian mixture fitted to the training images' codes (used)" in evaluation.report


def test_a_flow_of_too_few_images_is_refused_before_anything_is_measured(
    make_examples: MakeExamples, evaluated: Callable[..., Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "measure", None)
    with pytest.raises(DataError, match=r"expected normal or auto, found flow, .*: a flow takes 500 training images"):
        evaluated(make_examples(training=12), sampler="flow", flow_steps=2)
