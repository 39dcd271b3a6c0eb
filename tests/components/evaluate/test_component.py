"""The stage as the pipeline calls it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from components.evaluate.component import STAGE, evaluate
from components.latents.sampler_file import read_sampler
from models.code_samplers import Normal, UniformBox
from schemas.artifacts.kinds import Examples, Model, ModelEvaluation
from schemas.errors import DataError
from schemas.recipe.recipe import EvaluateSection, Gate
from schemas.recipe.settings import EvaluateSettings

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
GATES = (
    "metrics.elbo",  # which is below 0
    "metrics.mse",
    "latent.active",
    "latent.smoothness.length",
    "distances.classifier.floor.frechet",
    "samplers.mixture.frechet",
    "usefulness.both",
    "memorisation.flagged",
)
WRITTEN = [*FILES, "metrics.json", "report.html", "sampler.npz"]

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Small feature networks, few steps and few validation images."""
    from components.evaluate.samples import classifier, features, sampler_choice

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "FILTERS", (4, 8, 16))
        patch.setattr(classifier, "EPOCHS", 2)
        patch.setattr(sampler_choice, "CHOOSE", 10)
        yield


@pytest.fixture(scope="module")
def whole(make_examples: MakeExamples, make_model: MakeModel) -> tuple[Examples, Model]:
    """Labelled Examples of all splits, and a conditional model: nothing has to be left out."""
    examples = make_examples(labels=[0, 1] * 15, names=("hat", "shoe"), training=20, validation=12)
    return examples, make_model(examples, conditional=True)


@pytest.fixture(scope="module")
def judged(whole: tuple[Examples, Model], tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelEvaluation, str]:
    """An evaluation of these with gates and a sampler by name, and what the terminal was told."""
    gates = {name: Gate(at_least=0) for name in GATES}
    section = EvaluateSection(sampler="uniform", gates=gates)
    evaluation = ModelEvaluation(tmp_path_factory.mktemp("judged") / "evaluation")
    with redirect_stdout(StringIO()) as printed:
        evaluate(*whole, None, evaluation, EvaluateSettings(name="tiny", title="", seed=0, evaluate=section))
    return evaluation, printed.getvalue()


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
    assert list(made[0]) == WRITTEN


def test_twice_the_same_bytes_of_all_that_can_be_judged(whole: tuple[Examples, Model], tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        evaluation = ModelEvaluation(tmp_path / name)
        evaluate(*whole, None, evaluation, SETTINGS)
        made.append(contents(evaluation))
    assert made[0] == made[1]
    others = [name for name in made[0] if name.startswith("other_samplers/")]
    assert sorted(made[0]) == sorted([*WRITTEN, *others, "figures/closest.png"])


def test_the_other_samplers_are_kept_but_for_the_one_of_training_images_codes(
    judged: tuple[ModelEvaluation, str],
) -> None:
    evaluation = judged[0]
    kept = {path.stem: read_sampler(path).kind for path in evaluation.other_samplers_path.iterdir()}
    assert {*kept, read_sampler(evaluation.sampler_path).kind} == {"normal", "uniform", "mixture"}
    assert all(kind == name for name, kind in kept.items())


def test_metrics_tell_what_was_measured(judged: tuple[ModelEvaluation, str]) -> None:
    found = json.loads(judged[0].metrics_path.read_text())
    for part in ("distances", "samplers", "usefulness", "memorisation"):
        assert "left_out" not in found[part]
    assert set(found["distances"]) == {"random", "classifier"}
    assert found["samplers"]["chosen"] == "uniform"
    latent = found["latent"]
    assert len(latent["kl_per_dimension"]) == 2
    assert sum(latent["kl_per_dimension"]) == pytest.approx(found["metrics"]["kl"]["value"], rel=1e-4)
    assert set(latent["smoothness"]) == {"length", "largest_step"}


def test_whatever_stands_in_metrics_can_be_demanded(judged: tuple[ModelEvaluation, str]) -> None:
    found = json.loads(judged[0].metrics_path.read_text())["gates"]
    assert [gate["gate"] for gate in found] == list(GATES)
    assert {gate["gate"]: gate["why"] or gate["found"] for gate in found if not gate["passed"]} == {
        "metrics.elbo": found[0]["found"]
    }


def test_the_terminal_tells_what_was_found(judged: tuple[ModelEvaluation, str]) -> None:
    for said in (
        "codes   from the box that the training images' codes span",
        "useful  a classifier trained on new images names",
        "copies  No ",
        "gate    failed: metrics.elbo expected at least 0, found -",
        "gate    passed: metrics.mse expected at least 0, found 0.",
    ):
        assert said in judged[1]


def test_export_can_read_the_sampler_that_was_taken(judged: tuple[ModelEvaluation, str]) -> None:
    sampler = read_sampler(judged[0].sampler_path)
    assert isinstance(sampler, UniformBox)
    assert sampler.low.shape == sampler.high.shape == (2,)
    assert (sampler.low < sampler.high).all()


def test_where_nothing_is_judged_codes_come_from_the_prior(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    examples = make_examples()
    evaluation = ModelEvaluation(tmp_path / "evaluation")
    evaluate(examples, make_model(examples, latent_dim=3), None, evaluation, SETTINGS)
    sampler = read_sampler(evaluation.sampler_path)
    assert isinstance(sampler, Normal)
    assert sampler.latent_dim == 3


def test_a_conditional_model_is_judged_with_the_labels_of_the_test_images(
    make_examples: MakeExamples, make_model: MakeModel, tmp_path: Path
) -> None:
    labels = {"right": [0, 1, 2] * 10, "other": [1, 2, 0] * 10}
    elbo = {}
    for name, given in labels.items():
        examples = make_examples(labels=given, names=("hat", "shoe", "bag"))
        evaluation = ModelEvaluation(tmp_path / name)
        evaluate(examples, make_model(examples, conditional=True), None, evaluation, SETTINGS)
        assert list(contents(evaluation)) == WRITTEN
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
