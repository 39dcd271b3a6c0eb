"""What the stage makes of images, labels and networks that some metric cannot take: `metrics.json` and the report say in a
line why it is left out, a gate that names it says so, too, and everything else stands."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.component import evaluate
from components.evaluate.report import gallery
from components.evaluate.report.gates import check_gates
from components.evaluate.samples import judge, sampler_choice
from components.evaluate.samples.features import FeatureSpace
from schemas.artifacts.kinds import Examples, Model, ModelEvaluation
from schemas.recipe.recipe import EvaluateSection, Gate
from schemas.recipe.settings import EvaluateSettings

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
NOT_FINITE = "the features of some image are not finite numbers"
SAME = "all test images have the same features"
SAME_TRAINING = "all training images are the same"
SAME_LATENT = "test images that are all the same cannot tell how many latent dimensions are in use"
SAME_ENDS = "the images at both ends of every way look the same"


@dataclass(frozen=True)
class Found:
    """An evaluation.

    Attributes:
        metrics: What `metrics.json` holds.
        report: The report's words.
    """

    metrics: dict[str, Any]
    report: str

    @property
    def missing(self) -> dict[str, str]:
        """The figures that are no numbers, and why."""
        gates = {name: Gate(at_least=-1e300) for name in (*MEASURED, *LATENT, *NEW_IMAGES)}
        return {found.gate: found.why for found in check_gates(gates, self.metrics) if not found.passed}


@pytest.fixture(scope="module", autouse=True)
def quick(quick_judge: None) -> Iterator[None]:
    """Ten validation images are enough to choose a sampler by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler_choice, "CHOOSE", 10)
        yield


@pytest.fixture
def evaluated(make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Found]:
    """Evaluates a model that nobody trained: ``evaluated(examples, sampler="uniform")``; figures only with ``drawn=True``."""

    def do(
        examples: Examples, *, latent_dim: int = 3, conditional: bool = False, drawn: bool = False, **section: Any
    ) -> Found:
        if not drawn:
            monkeypatch.setattr(gallery, "draw", lambda *given, **options: [])
        model = make_model(examples, latent_dim=latent_dim, mse=True, conditional=conditional)
        evaluation = ModelEvaluation(tmp_path / "evaluation")
        asked = EvaluateSection(**{"importance_samples": 2, **section})
        evaluate(examples, model, None, evaluation, EvaluateSettings(name="tiny", title="", seed=0, evaluate=asked))
        page = evaluation.report_path.read_text(encoding="utf-8")
        words = html.unescape(re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL))
        return Found(json.loads(evaluation.metrics_path.read_text(encoding="utf-8")), " ".join(words.split()))

    return do


@pytest.fixture(scope="module")
def whole(make_examples: MakeExamples) -> Examples:
    """Of which nothing is left out; its splits differ in size."""
    return make_examples(labels=[0, 1] * 15, names=("hat", "shoe"), training=24, validation=12)


@pytest.fixture(scope="module")
def same(make_examples: MakeExamples) -> Examples:
    """Ten times the same black image."""
    return make_examples(np.zeros((10, 8, 8, 1), np.uint8), training=10, validation=10)


def because(why: str, *figures: str) -> dict[str, str]:
    return dict.fromkeys(figures, why)


def test_sets_of_different_sizes_are_compared_at_one(whole: Examples, evaluated: Callable[..., Found]) -> None:
    found = evaluated(whole, conditional=True)
    assert found.missing == {}
    sizes = {name: found.metrics[name] for name in ("distances", "usefulness", "memorisation")}
    assert found.metrics["images"] == sizes["usefulness"]["test_images"] == 30
    assert sizes["distances"]["random"]["images"] == sizes["memorisation"]["images"] == 24
    assert sizes["memorisation"]["training"] == sizes["usefulness"]["images"] == 24
    assert "24 new images: Fréchet distance" in found.report


@pytest.mark.parametrize(
    ("names", "conditional", "why"),
    [
        ((), False, UNLABELLED),
        (("hat",), False, "all training images have the same label"),
        (("hat",), True, "all training images have the same label"),
    ],
)
def test_without_two_labels_nothing_is_tried_for_training(
    names: Sequence[str], conditional: bool, why: str, make_examples: MakeExamples, evaluated: Callable[..., Found]
) -> None:
    labels = [0] * 30 if names else None
    examples = make_examples(labels=labels, names=tuple(names), training=24, validation=12)
    found = evaluated(examples, conditional=conditional)
    assert found.missing == because(why, *USEFULNESS)
    assert found.metrics["usefulness"] == {"left_out": why}
    assert f"Not tried for training a classifier: {why}." in found.report


@pytest.mark.parametrize("pattern", ["black", "noise"])
def test_images_that_are_all_the_same(
    pattern: str, make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Found]
) -> None:
    picture = np.zeros((1, 8, 8, 1), np.uint8) if pattern == "black" else noise_images(1)
    examples = make_examples(picture.repeat(10, axis=0), training=10, validation=10)
    found = evaluated(examples, sampler="mixture", drawn=True)
    assert found.missing == {
        "latent.active": SAME_LATENT,
        "latent.smoothness.length": SAME_ENDS,
        **because(SAME, *DISTANCES),
        **because(UNLABELLED, *USEFULNESS),
        **because(SAME_TRAINING, *MEMORISATION),
    }
    assert found.metrics["samplers"]["chosen"] == "mixture"
    assert found.metrics["distances"]["random"] == {"left_out": SAME}
    assert found.metrics["memorisation"] == {"left_out": SAME_TRAINING}
    assert f"Not compared with test images: {SAME}." in found.report
    assert f"Not looked for: {SAME_TRAINING}." in found.report


def test_images_of_one_grey_each_are_as_good_as_any(
    make_examples: MakeExamples, evaluated: Callable[..., Found]
) -> None:
    greys = np.arange(10, 250, 24, dtype=np.uint8)[:, None, None, None]
    examples = make_examples(np.broadcast_to(greys, (10, 8, 8, 1)), training=10, validation=10)
    assert evaluated(examples).missing == because(UNLABELLED, *USEFULNESS)


def test_fewer_images_than_neighbours(
    make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Found]
) -> None:
    found = evaluated(make_examples(noise_images(5), training=5))
    why = "distances need more than 5 test and training images, and there are 5"
    assert found.missing == because(why, *NEW_IMAGES)
    for part in ("distances", "samplers", "usefulness", "memorisation"):
        assert found.metrics[part] == {"left_out": why}
    for said in ("Not compared with test images", "Not tried for training a classifier", "Not looked for"):
        assert f"{said}: {why}." in found.report


def test_a_single_image(
    make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Found]
) -> None:
    found = evaluated(make_examples(noise_images(1), training=1))
    why = "a single test image cannot tell how many latent dimensions are in use"
    assert found.missing == {
        "latent.active": why,
        "latent.smoothness.length": "it takes the codes of two test images, and there is 1",
        **because("distances need more than 5 test and training images, and there are 1", *NEW_IMAGES),
    }
    assert found.metrics["latent"]["left_out"] == why
    assert f"A{why[1:]}." in found.report


@pytest.mark.parametrize(("broken", "gone"), [("random", DISTANCES), ("classifier", ())])
def test_a_feature_network_that_yields_nan(
    broken: str,
    gone: tuple[str, ...],
    whole: Examples,
    evaluated: Callable[..., Found],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Samplers are told apart in the last space in which there are numbers."""
    given = judge.features_of

    def features_of(spaces: Sequence[FeatureSpace], batches: Any) -> list[Array]:
        found = given(spaces, batches)
        for space, features in zip(spaces, found, strict=True):
            if space.name == broken:
                features[3, 1] = np.nan
        return found

    monkeypatch.setattr(judge, "features_of", features_of)
    found = evaluated(whole, conditional=True)
    assert found.missing == because(NOT_FINITE, *gone)
    assert found.metrics["distances"][broken] == {"left_out": NOT_FINITE}
    assert f"Nothing in the features “{broken}”: {NOT_FINITE}." in found.report
    other = "classifier" if broken == "random" else "random"
    assert found.metrics["distances"][other]["synthetic"]["frechet"] >= 0
    assert found.metrics["samplers"]["space"] == other


def test_a_classifier_that_yields_nan_judges_nothing(
    whole: Examples, evaluated: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = judge.classifier_of

    def classifier_of(*given: Any, **options: Any) -> keras.Model:
        network = train(*given, **options)
        return keras.Model(network.inputs, keras.layers.Rescaling(float("nan"))(network.output))

    monkeypatch.setattr(judge, "classifier_of", classifier_of)
    found = evaluated(whole, conditional=True)
    why = "the outputs of some classifier are not finite numbers"
    assert found.missing == because(why, *USEFULNESS)
    assert found.metrics["usefulness"] == {"left_out": why}
    assert f"Not tried for training a classifier: {why}." in found.report


def test_a_mixture_of_fewer_codes_than_dimensions(
    make_examples: MakeExamples, noise_images: Callable[..., Array], evaluated: Callable[..., Found]
) -> None:
    examples = make_examples(noise_images(12), training=12, validation=12)
    found = evaluated(examples, latent_dim=20, sampler="mixture")
    assert found.missing == because(UNLABELLED, *USEFULNESS)
    assert found.metrics["samplers"]["chosen"] == "mixture"
    assert "a Gaussian mixture fitted to the training images' codes (taken)" in found.report


def test_gates_that_name_what_was_left_out_fail_and_say_why(same: Examples, evaluated: Callable[..., Found]) -> None:
    left_out = {
        "latent.active": SAME_LATENT,
        "latent.smoothness.length": SAME_ENDS,
        "distances.random.synthetic.frechet": SAME,
        "usefulness.ratio": UNLABELLED,
        "memorisation.flagged": SAME_TRAINING,
    }
    found = evaluated(same, gates={name: {"at_least": 0} for name in (*left_out, "metrics.mse")})
    assert {gate["gate"]: gate["why"] for gate in found.metrics["gates"] if not gate["passed"]} == left_out
    for name, why in left_out.items():
        assert f"{name} at least 0 {why} failed" in found.report
