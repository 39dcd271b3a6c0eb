"""The stage as the pipeline calls it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.evaluate.component import STAGE, evaluate
from schemas.artifacts import Examples, Model, ModelEvaluation
from schemas.errors import DataError
from schemas.recipe import EvaluateSection
from schemas.settings import EvaluateSettings

SETTINGS = EvaluateSettings(name="tiny", title="Tiny", seed=0, evaluate=EvaluateSection())
FIGURES = [
    "hybrids",
    "interpolation",
    "latent",
    "manifold-10",
    "manifold-30",
    "reconstructions",
    "samples",
    "training",
    "tsne",
    "uniform",
]
FILES = [f"figures/{name}.png" for name in FIGURES]

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]


def contents(evaluation: ModelEvaluation) -> dict[str, bytes]:
    files = (path for path in sorted(evaluation.path.rglob("*")) if path.is_file())
    return {path.relative_to(evaluation.path).as_posix(): path.read_bytes() for path in files}


def test_the_front_door_is_light() -> None:
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'numpy', 'jinja2'}"
    code = f"import sys, components.evaluate.component; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
    assert STAGE.run is evaluate


def test_twice_the_same_bytes(make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path) -> None:
    examples = make_examples()
    model = make_model(examples)
    made = []
    for name in ("first", "second"):
        evaluation = ModelEvaluation(tmp_path / name)
        assert evaluate(examples, model, None, evaluation, SETTINGS) == {"test_images": 30}
        made.append(contents(evaluation))
    assert made[0] == made[1]
    assert list(made[0]) == [*FILES, "metrics.json", "report.html"]


def test_another_models_codes_are_drawn_beside_this_ones(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    examples = make_examples()
    model, other = make_model(examples), make_model(examples, latent_dim=5)
    settings = EvaluateSettings(name="tiny", title="", seed=0, evaluate=EvaluateSection(beside="other"))
    evaluation = ModelEvaluation(tmp_path / "evaluation")
    evaluate(examples, model, other, evaluation, settings)
    alone = ModelEvaluation(tmp_path / "alone")
    evaluate(examples, model, None, alone, SETTINGS)
    differs = {name for name, data in contents(alone).items() if contents(evaluation)[name] != data}
    assert differs == {"figures/tsne.png", "report.html"}
    assert "other" in evaluation.report_path.read_text(encoding="utf-8")


def test_a_conditional_model_is_judged_with_the_labels_of_the_test_images(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    labels = {"right": [0, 1, 2] * 10, "other": [1, 2, 0] * 10}
    elbo = {}
    for name, given in labels.items():
        examples = make_examples(labels=given, names=("hat", "shoe", "bag"))
        evaluation = ModelEvaluation(tmp_path / name)
        evaluate(examples, make_model(examples, conditional=True), None, evaluation, SETTINGS)
        assert list(contents(evaluation)) == [*FILES, "metrics.json", "report.html"]
        elbo[name] = json.loads(evaluation.metrics_path.read_text())["metrics"]["elbo"]["value"]
    report = (tmp_path / "right" / "report.html").read_text(encoding="utf-8")
    for said in (
        "sorted by label",
        "The model is told the labels",
        "of the most frequent label, hat",
        "label of the first",
    ):
        assert said in report
    assert "Labels were not shown to the model" not in report
    assert elbo["right"] != elbo["other"]


def test_a_conditional_models_codes_can_be_drawn_beside(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    examples = make_examples(labels=[0, 1] * 15, names=("hat", "shoe"))
    settings = EvaluateSettings(name="tiny", title="", seed=0, evaluate=EvaluateSection(beside="other"))
    evaluation = ModelEvaluation(tmp_path / "evaluation")
    evaluate(examples, make_model(examples), make_model(examples, conditional=True), evaluation, settings)
    assert "Left this model, right other" in evaluation.report_path.read_text(encoding="utf-8")


def test_another_seed_draws_other_codes(make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path) -> None:
    examples = make_examples()
    model = make_model(examples)
    found = []
    for seed in (0, 1):
        evaluation = ModelEvaluation(tmp_path / f"seed {seed}")
        settings = EvaluateSettings(name="tiny", title="", seed=seed, evaluate=EvaluateSection())
        evaluate(examples, model, None, evaluation, settings)
        found.append(json.loads(evaluation.metrics_path.read_text())["metrics"])
    assert found[0]["elbo"]["value"] != found[1]["elbo"]["value"]
    assert found[0]["kl"] == found[1]["kl"]


@pytest.mark.parametrize(
    ("images", "model_options"),
    [
        ({"count": 1}, {"latent_dim": 1, "epochs": 1}),
        ({"count": 9, "channels": 3, "height": 12, "width": 20}, {"latent_dim": 5, "mse": True}),
        ({"count": 3, "height": 4, "width": 4}, {"latent_dim": 3}),
    ],
)
def test_other_shapes(
    images: dict[str, int],
    model_options: dict[str, Any],
    make_examples: MakeExamples,
    make_model: MakeModel,
    noise_images: Callable[..., Any],
    tmp_path: Path,
) -> None:
    examples = make_examples(noise_images(**images))
    evaluation = ModelEvaluation(tmp_path / "evaluation")
    evaluate(examples, make_model(examples, **model_options), None, evaluation, SETTINGS)
    metrics = json.loads(evaluation.metrics_path.read_text())
    assert metrics["images"] == images["count"]
    assert metrics["latent"]["dimensions"] == model_options["latent_dim"]
    elbo, log_prob, kl = (metrics["metrics"][name]["value"] for name in ("elbo", "log_prob", "kl"))
    assert elbo == pytest.approx(log_prob - kl, rel=1e-4)


def test_images_with_a_margin_are_measured_at_their_centre(
    make_examples: MakeExamples, make_model: MakeModel, noise_images: Callable[..., Any], tmp_path: Path
) -> None:
    pixels = noise_images(12, height=12, width=10)
    found = []
    for name, examples in (
        ("margin", make_examples(pixels, margin=4)),
        ("none", make_examples(pixels[:, 2:-2, 2:-2])),
    ):
        evaluation = ModelEvaluation(tmp_path / name)
        evaluate(examples, make_model(examples), None, evaluation, SETTINGS)
        found.append(evaluation.metrics_path.read_text())
    assert found[0] == found[1]


def test_a_file_that_is_no_model(make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path) -> None:
    examples = make_examples()
    model = make_model(examples)
    model.vae_path.write_bytes(b"no model")
    with pytest.raises(DataError, match="expected the model that train saved"):
        evaluate(examples, model, None, ModelEvaluation(tmp_path / "evaluation"), SETTINGS)


def test_a_model_of_other_images(make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path) -> None:
    examples = make_examples()
    model = make_model(examples)
    statistics = json.loads(examples.statistics_path.read_text())
    examples.statistics_path.write_text(json.dumps({**statistics, "height": 4}))
    with pytest.raises(DataError, match=r"expected a model of images of shape \(4, 8, 1\), found \(8, 8, 1\)"):
        evaluate(examples, model, None, ModelEvaluation(tmp_path / "evaluation"), SETTINGS)
