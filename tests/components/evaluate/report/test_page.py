"""The report: valid HTML that needs nothing else, says what it should, and escapes what others wrote."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import yaml
from helpers.by_hand import describe
from helpers.html_page import page_of
from helpers.judgements import judged, measured
from helpers.small_evaluation import evaluate_small

from components.evaluate.report.gates import Outcome
from components.evaluate.report.page import Subject, render
from components.evaluate.samples.distances import Compared, Comparison, Distances
from components.evaluate.samples.features import FeatureSpace, classifier_space
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.kid import Interval
from components.evaluate.samples.neighbours import Manifold
from components.evaluate.samples.privacy import LIMITS, Memorisation, Nearest
from components.evaluate.samples.sampler_choice import SamplerResult
from components.evaluate.samples.usefulness import Usefulness
from models.code_samplers import Normal, UniformBox
from schemas.artifacts.kinds import Examples, Model
from schemas.artifacts.tables import HISTORY
from schemas.recipe.evaluate import EvaluateSection
from schemas.recipe.settings import EvaluateSettings

FIGURES = 9  # with a 2-D latent space; training is drawn as curves
PANELS = ("loss", "reconstruction", "KL", "learning rate")
NAMES = ("<script>alert(1)</script>", "Tom & Jerry", '"quoted"')


@pytest.fixture(scope="module")
def artifacts(make_examples: Callable[..., Examples], make_model: Callable[..., Model]) -> tuple[Examples, Model]:
    examples = make_examples(labels=[index % 4 - 1 for index in range(30)], names=NAMES)
    return examples, make_model(examples)


@pytest.fixture(scope="module")
def path(artifacts: tuple[Examples, Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "evaluation"
    return evaluate_small(*artifacts, folder, title="Tiny <i>images</i>", figures=True).artifact.report_path


def test_the_page_needs_no_other_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    page = page_of(path)
    sources = [value or "" for _, attributes in page.tags for key, value in attributes.items() if key == "src"]
    assert len(sources) == FIGURES
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    links = [
        value or "" for _, attributes in page.tags for key, value in attributes.items() if key in ("href", "xlink:href")
    ]
    assert links and all(link.startswith("#") for link in links)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    assert not re.search(r"url\(|@import|import\(|fetch\(|XMLHttpRequest|https?:|//[a-z]+\.", text)


def test_images_have_a_text_and_a_caption(path: Path) -> None:
    page = page_of(path)
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert all(len(str(attributes["alt"])) > 40 for attributes in page.of("img"))
    assert [tag for tag, _ in page.tags].count("figcaption") == FIGURES + len(PANELS)


def test_new_images_stand_beside_real_ones(
    make_examples: Callable[..., Examples], make_model: Callable[..., Model], path: Path, tmp_path: Path
) -> None:
    examples = make_examples(training=30)
    words = evaluate_small(examples, make_model(examples), tmp_path / "evaluation").report
    assert "30 new images: Fréchet distance" in words
    assert "New images" in words and "Training images: the floor" in words
    assert "Log-likelihood" in words and "for the log-likelihood 2" in words
    without = page_of(path).words
    assert "Not compared with test images: distances need more than 5 test and training images" in without
    assert "images: the floor" not in without


def test_text_of_users_is_escaped(path: Path) -> None:
    page = page_of(path)
    assert "Tiny <i>images</i>" in page.text
    assert all(name in page.text for name in NAMES)
    assert not any(tag == "i" for tag, _ in page.tags)
    assert page.of("script") == [{}]  # ours
    assert "alert" not in page.code["script"] + page.code["style"]


def test_it_explains_every_metric_and_gives_its_standard_error(path: Path) -> None:
    words = page_of(path).words
    for term in ("ELBO", "KL divergence", "Reconstruction", "MSE", "PSNR", "SSIM", "Latent dimensions in use"):
        assert term in words
    assert words.count(" ± ") >= 6


def test_it_tells_the_lineage(path: Path, artifacts: tuple[Examples, Model]) -> None:
    examples, model = artifacts
    words = page_of(path).words
    assert examples.digest in words
    assert model.digest in words
    assert "made from the Examples above" in words
    [block] = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", path.read_text(encoding="utf-8"), re.DOTALL)
    recipe = yaml.safe_load(html.unescape(block))
    assert recipe["model"] == model.manifest.settings["model"]
    assert recipe["loss"] == model.manifest.settings["loss"]
    assert recipe["preprocess"] == examples.manifest.settings["preprocess"]
    assert recipe["sources"] == [{"kind": "digits"}]
    assert recipe["evaluate"] == EvaluateSection(importance_samples=2).model_dump(mode="json")
    assert recipe["name"] == "tiny"
    assert "all images 0 0 30" in words
    assert "2 too large" in words


def test_it_names_no_date_and_no_duration(path: Path) -> None:
    text: Any = page_of(path).text
    assert "2020-01-01" not in text
    assert "1.5" not in re.findall(r"\S+", text)


def test_a_recipe_without_a_title_goes_by_its_name(artifacts: tuple[Examples, Model], tmp_path: Path) -> None:
    evaluation = evaluate_small(*artifacts, tmp_path / "untitled", title="")
    assert "<h1>tiny</h1>" in evaluation.artifact.report_path.read_text(encoding="utf-8")


BOX = UniformBox(np.zeros(2, np.float32), np.ones(2, np.float32))
USEFUL = Usefulness(images=1000, test_images=300, real=0.9, synthetic=0.6, both=0.91)


def space_by_hand(name: str = "random") -> FeatureSpace:
    return FeatureSpace(name, "a network made by hand", "12ab" * 16, lambda images: images)


def distances(space: FeatureSpace, *, frechet: float) -> Distances:
    """Of new images; training images lie at a tenth of it."""
    sides = (
        Comparison(value, Interval(-0.0123, -0.0456, 0.0789), Manifold(0.123, 0.456, 1.234, 0.789))
        for value in (frechet, frechet / 10)
    )
    return Distances(space, 1000, *sides, "validation")


def memorised(*, near: int) -> Memorisation:
    side = Nearest(0.2, 0.1)
    return Memorisation(1000, 5000, side, side, closer=0.5, exact=0, near=near, near_held_out=1, pairs=())


@pytest.fixture
def words_of(artifacts: tuple[Examples, Model], tmp_path: Path) -> Callable[..., str]:
    """Return what the report of a judgement and gates says."""
    examples, model = artifacts
    measurement = measured([1.0, 1.0])
    subject = Subject(
        settings=EvaluateSettings(name="tiny", title="Tiny", seed=0, evaluate=EvaluateSection()),
        statistics=describe(),
        examples=examples.manifest,
        model=model.manifest,
        likelihood="Bernoulli",
        parameters=7,
        history=pa.table({name: [1.0] for name in HISTORY.names}).cast(HISTORY),
        loss_unit="nats per image",
    )

    def words(judgement: Judgement, *gates: Outcome) -> str:
        page = render(subject, measurement=measurement, judgement=judgement, gates=gates, smoothness=None, figures=())
        (tmp_path / "report.html").write_text(page, encoding="utf-8")
        return page_of(tmp_path / "report.html").words

    return words


def test_every_feature_space_has_its_rows(words_of: Callable[..., str]) -> None:
    spaces = [space_by_hand(), classifier_space(keras.Sequential([keras.Input((1,)), keras.layers.Dense(3)]))]
    all_distances = [distances(space, frechet=frechet) for space, frechet in zip(spaces, (12.34, 5.67), strict=True)]
    words = words_of(judged(compared=Compared(tuple(all_distances), {})))
    for space, frechet, floor in zip(spaces, ("12.34", "5.670"), ("1.234", "0.5670"), strict=True):
        row = "−0.012 (−0.046 to 0.079) 0.123 0.456 1.234 0.789"
        assert (
            f"In the features of {space.doc} ( {space.digest[:12]} ) New images {frechet} {row} "
            f"Validation images: the floor {floor} {row}"
        ) in words
    assert spaces[0].digest[:12] != spaces[1].digest[:12]


def test_distances_are_called_fid_and_kid_in_inceptions_features_alone(words_of: Callable[..., str]) -> None:
    all_distances = [distances(space_by_hand(name), frechet=12.34) for name in ("random", "own", "inception")]
    words = words_of(judged(compared=Compared(tuple(all_distances), {})))
    assert words.count("( 12ab12ab12ab ) New images 12.34") == 2
    assert words.count("( 12ab12ab12ab ) FID KID (95%) New images 12.34") == 1
    assert "new images: FID 12.34 and KID −0.012 from test images in Inception’s features" in words


def test_a_space_that_is_left_out_says_why(words_of: Callable[..., str]) -> None:
    comparison = Compared((distances(space_by_hand(), frechet=1.0),), {"classifier": "there is a reason"})
    words = words_of(judged(compared=comparison))
    assert "In the features of a network made by hand" in words
    assert "Nothing in the features “classifier”: there is a reason." in words


def test_samplers_stand_in_a_table_and_the_used_one_is_marked(words_of: Callable[..., str]) -> None:
    results = (SamplerResult(Normal(2), None, 12.3, 0.0456, 7.89), SamplerResult(BOX, None, 2.34, -0.0567, 8.91))
    words = words_of(judged(sampler=BOX, samplers=results, space="classifier"))
    assert "Where codes come from" in words
    assert "the normal distribution N(0, I) 12.30 0.04560 7.890" in words
    assert "the box that the training images' codes span (used) 2.340 −0.05670 8.910" in words
    assert words.count("(used)") == 1
    assert "In the features “classifier”." in words


def test_samplers_without_validation_distances_have_a_dash(words_of: Callable[..., str]) -> None:
    prior = Normal(2)
    results = (SamplerResult(prior, None, None, 0.0456, 7.89), SamplerResult(BOX, None, None, 0.0567, 8.91))
    words = words_of(judged(sampler=prior, samplers=results, space="random"))
    assert "the normal distribution N(0, I) (used) – 0.04560 7.890" in words


def test_a_sampler_that_was_not_chosen_is_said_in_the_verdict_and_beside_the_samplers(
    words_of: Callable[..., str],
) -> None:
    prior, why = Normal(2), "it takes 100 validation images, and there are 12"
    results = (SamplerResult(prior, None, None, 0.0456, 7.89),)
    compared = Compared((distances(space_by_hand(), frechet=1.0),), {})
    words = words_of(judged(sampler=prior, samplers=results, space="random", compared=compared, why_not_chosen=why))
    sentence = f"from the normal distribution N(0, I); no better sampler was looked for: {why}."
    assert f"Codes come {sentence} Use of the latent space" in words
    assert f"Where codes come from Codes of new images come {sentence}" in words


@pytest.mark.parametrize("near", [2, 40])
def test_use_for_a_classifier_and_copies(near: int, words_of: Callable[..., str]) -> None:
    memorisation = memorised(near=near)
    words = words_of(judged(usefulness=USEFUL, memorisation=memorisation))
    assert (
        "Their use for a classifier A classifier trained on new images names 60.0% of the test images correctly, one trained on "
        "real images 90.0% (ratio 0.667), one trained on both 91.0%; beside all real images new images do not surely help: do "
        "not use them for this; in place of the real images they lose too much: do not use them for this either."
    ) in words
    assert f"Copies of training images {memorisation.verdict}" in words
    assert ("this model gives training images away" in words) == (near == 40)
    assert LIMITS in words


def test_parts_that_are_left_out_say_why(words_of: Callable[..., str]) -> None:
    words = words_of(judged(usefulness="there are no labels", memorisation="there are fewer than two training images"))
    assert "Not compared with test images: it was not asked for." in words
    assert "Not tried for training a classifier: there are no labels." in words
    assert "there are fewer than two training images" in words
    assert "N(0, I); no better sampler was looked for: it was not asked for." in words
    for absent in ("Compared with test images", "(used)", "What the recipe demands"):
        assert absent not in words


def test_gates_stand_in_a_table_with_what_was_found(words_of: Callable[..., str]) -> None:
    words = words_of(
        judged(),
        Outcome("metrics.mse", "at most 0.02", 0.0123456789, passed=True),
        Outcome("metrics.elbo", "at least 0", -42.5, passed=False),
        Outcome("usefulness.<ratio>", "at least 0.9", None, passed=False, why="there are no labels"),
    )
    assert "What the recipe demands" in words
    assert "metrics.mse at most 0.02 0.0123457 passed" in words
    assert "metrics.elbo at least 0 −42.5 failed" in words
    assert "usefulness.<ratio> at least 0.9 there are no labels failed" in words
