"""The stage as the pipeline calls it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.small_evaluation import GATES, LABELLED, WHOLE, Evaluation, evaluate_small

from components.evaluate.component import STAGE, evaluate
from components.latents.sampler_file import read_sampler
from models.code_samplers import Normal, UniformBox
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import DataError

FIGURES = [
    "closest",
    "hybrids",
    "interpolation",
    "latent",
    "low-data",
    "manifold-10",
    "manifold-30",
    "reconstructions",
    "samples",
    "training",
    "tsne",
    "uniform",
]

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]


@pytest.mark.process
def test_importing_the_component_imports_nothing_heavy() -> None:
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'numpy', 'jinja2'}"
    code = f"import sys, components.evaluate.component; print(sorted({heavy} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "[]"
    assert STAGE.run is evaluate


def test_an_evaluation_has_metrics_figures_samplers_and_a_report(whole_evaluation: Evaluation) -> None:
    samplers = ["other_samplers/mixture.npz", "other_samplers/normal.npz", "sampler.npz"]
    figures = [f"figures/{name}.png" for name in FIGURES]
    assert sorted(whole_evaluation.files) == sorted([*figures, *samplers, "metrics.json", "report.html"])
    assert whole_evaluation.counts == {"test_images": 30}


def test_the_same_images_give_the_same_bytes_with_and_without_a_margin(
    whole_evaluation: Evaluation,
    conditional_model: Model,
    make_examples: MakeExamples,
    noise_images: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Images with a margin are evaluated at their centre."""
    examples = make_examples(noise_images(30, height=12, width=10)[:, 2:-2, 2:-2], **LABELLED)
    again = evaluate_small(examples, conditional_model, tmp_path / "again", figures=True, **WHOLE)
    assert {name for name, data in again.files.items() if data != whole_evaluation.files[name]} <= {"report.html"}
    assert list(again.files) == list(whole_evaluation.files)


def test_samplers_are_saved_except_the_one_that_holds_codes_of_training_images(whole_evaluation: Evaluation) -> None:
    """Export reads the chosen sampler from its file."""
    folder = whole_evaluation.artifact.other_samplers_path
    assert {path.stem: read_sampler(path).kind for path in folder.iterdir()} == {
        "normal": "normal",
        "mixture": "mixture",
    }
    chosen = read_sampler(whole_evaluation.artifact.sampler_path)
    assert isinstance(chosen, UniformBox)
    assert chosen.low.shape == chosen.high.shape == (2,)
    assert (chosen.low < chosen.high).all()


def test_metrics_hold_every_part(whole_evaluation: Evaluation) -> None:
    metrics = whole_evaluation.metrics
    for part in ("distances", "samplers", "usefulness", "memorisation"):
        assert "left_out" not in metrics[part]
    assert set(metrics["distances"]) == {"random", "classifier"}
    assert metrics["samplers"]["chosen"] == "uniform"
    for part, size in (("usefulness", "images"), ("memorisation", "images"), ("memorisation", "training")):
        assert metrics[part][size] == 24
    assert metrics["images"] == metrics["usefulness"]["test_images"] == 30
    assert metrics["distances"]["random"]["images"] == 24  # sets of different sizes are compared at one size
    assert "24 new images: Fréchet distance" in whole_evaluation.report
    latent = metrics["latent"]
    assert len(latent["kl_per_dimension"]) == 2
    assert sum(latent["kl_per_dimension"]) == pytest.approx(metrics["metrics"]["kl"]["value"], rel=1e-4)
    assert set(latent["smoothness"]) == {"length", "largest_step"}


def test_the_low_data_curve_is_everywhere(whole_evaluation: Evaluation) -> None:
    curve = whole_evaluation.metrics["usefulness"]["low_data"]
    assert set(curve["sizes"]["1"]["gain"]) >= {"new"}
    why = "the label “hat” has only 12 training images"
    assert curve["sizes"]["99"] == {"left_out": why}
    assert "  few     with 1 real image of each label " in whole_evaluation.console
    assert f"99 real images of each label were left out: {why}." in whole_evaluation.report
    assert "comes from 24 training images" in whole_evaluation.report


def test_a_gate_can_name_any_number_of_the_metrics(whole_evaluation: Evaluation) -> None:
    gates = whole_evaluation.metrics["gates"]
    assert [gate["gate"] for gate in gates] == list(GATES)
    assert {gate["gate"]: gate["why"] or gate["found"] for gate in gates if not gate["passed"]} == {
        "metrics.elbo": gates[0]["found"]
    }


def test_the_console_names_the_results(whole_evaluation: Evaluation) -> None:
    for line in (
        "codes   from the box that the training images' codes span",
        "useful  a classifier trained on new images names",
        "copies  no ",
        "gate    failed: metrics.elbo expected at least 0, found −",
        "gate    passed: metrics.mse expected at least 0, found 0.",
    ):
        assert line in whole_evaluation.console


def test_the_report_names_the_labels_of_a_conditional_model(whole_evaluation: Evaluation) -> None:
    for words in (
        "sorted by label",
        "The model gets the labels",
        "of the most frequent label, hat",
        "label of the first",
    ):
        assert words in whole_evaluation.report
    assert "Labels were not shown to the model" not in whole_evaluation.report


def test_a_conditional_model_gets_the_labels_of_the_test_images(
    whole_evaluation: Evaluation,
    conditional_model: Model,
    make_examples: MakeExamples,
    noise_images: Callable[..., Any],
    tmp_path: Path,
) -> None:
    examples = make_examples(
        noise_images(30, height=12, width=10), margin=4, **{**LABELLED, "labels": [1, 0] * 15, "training": 0}
    )
    other = evaluate_small(examples, conditional_model, tmp_path / "evaluation")
    elbos = [evaluation.metrics["metrics"]["elbo"]["value"] for evaluation in (whole_evaluation, other)]
    assert elbos[0] != elbos[1]


def test_the_seed_decides_the_noise(
    whole_evaluation: Evaluation, labelled_examples: Examples, conditional_model: Model, tmp_path: Path
) -> None:
    other = evaluate_small(labelled_examples, conditional_model, tmp_path / "evaluation", seed=1, distance_images=0)
    first, second = (evaluation.metrics["metrics"] for evaluation in (whole_evaluation, other))
    assert first["elbo"]["value"] != second["elbo"]["value"]
    assert first["kl"] == second["kl"]


def test_where_nothing_is_compared_codes_come_from_the_prior(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    examples = make_examples()
    evaluation = evaluate_small(examples, make_model(examples, latent_dim=3), tmp_path / "evaluation")
    sampler = read_sampler(evaluation.artifact.sampler_path)
    assert isinstance(sampler, Normal)
    assert sampler.latent_dim == 3
    assert list(evaluation.files) == ["metrics.json", "report.html", "sampler.npz"]


@pytest.mark.parametrize(
    ("images", "model_options"),
    [
        ({"count": 1}, {"latent_dim": 1, "epochs": 1}),
        ({"count": 9, "channels": 3, "height": 12, "width": 20}, {"latent_dim": 5, "mse": True}),
        ({"count": 3, "height": 4, "width": 4}, {"latent_dim": 3}),
    ],
)
def test_images_and_codes_of_any_shape(
    images: dict[str, int],
    model_options: dict[str, Any],
    make_examples: MakeExamples,
    make_model: MakeModel,
    noise_images: Callable[..., Any],
    tmp_path: Path,
) -> None:
    examples = make_examples(noise_images(**images))
    metrics = evaluate_small(examples, make_model(examples, **model_options), tmp_path / "evaluation").metrics
    assert metrics["images"] == images["count"]
    assert metrics["latent"]["dimensions"] == model_options["latent_dim"]
    elbo, log_prob, kl = (metrics["metrics"][name]["value"] for name in ("elbo", "log_prob", "kl"))
    assert elbo == pytest.approx(log_prob - kl, rel=1e-4)


def test_a_plain_autoencoder_has_no_likelihood_and_no_new_images(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    examples = make_examples(training=10)
    evaluation = evaluate_small(examples, make_model(examples, mse=True, kl="none"), tmp_path / "evaluation")
    assert list(evaluation.metrics["metrics"]) == ["ssim", "psnr", "mse", "log_prob"]
    why = "a plain autoencoder has no distribution to draw new images from"
    assert evaluation.metrics["distances"] == {"left_out": why}
    assert "metrics PSNR " in evaluation.console


def test_a_file_that_is_no_model(make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path) -> None:
    examples = make_examples()
    model = make_model(examples)
    model.vae_path.write_bytes(b"no model")
    with pytest.raises(DataError, match="expected the model that train saved"):
        evaluate_small(examples, model, tmp_path / "evaluation")


def test_a_model_of_other_images(make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path) -> None:
    examples = make_examples()
    model = make_model(examples)
    statistics = json.loads(examples.statistics_path.read_text())
    examples.statistics_path.write_text(json.dumps({**statistics, "height": 4}))
    with pytest.raises(DataError, match=r"expected a model of images of shape \(4, 8, 1\), found \(8, 8, 1\)"):
        evaluate_small(examples, model, tmp_path / "evaluation")
