"""The report: valid HTML that needs nothing else, says what it should, and escapes what others wrote."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from components.evaluate.component import evaluate
from schemas.artifacts import Examples, Model, ModelEvaluation
from schemas.recipe import EvaluateSection
from schemas.settings import EvaluateSettings

FIGURES = 10  # with a 2-D latent space
VOID = {"meta", "img", "br", "hr", "link", "input"}
NAMES = ("<script>alert(1)</script>", "Tom & Jerry", '"quoted"')


class Page(HTMLParser):
    """Follows the tags of a page; fails where they do not nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f"{data} "

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page_of(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def artifacts(make_examples: Callable[..., Examples], make_model: Callable[..., Model]) -> tuple[Examples, Model]:
    examples = make_examples(labels=[index % 4 - 1 for index in range(30)], names=NAMES)
    return examples, make_model(examples)


@pytest.fixture(scope="module")
def path(artifacts: tuple[Examples, Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = EvaluateSettings(name="tiny", title="Tiny <i>images</i>", seed=0, evaluate=EvaluateSection())
    evaluation = ModelEvaluation(tmp_path_factory.mktemp("report") / "evaluation")
    evaluate(*artifacts, None, evaluation, settings)
    return evaluation.report_path


def test_it_is_html_that_needs_nothing_else(path: Path) -> None:
    html = path.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    page = page_of(path)
    references = [value or "" for _, found in page.seen for key, value in found.items() if key in ("src", "href")]
    assert len(references) == FIGURES
    assert all(reference.startswith("data:image/png;base64,") for reference in references)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.seen}
    assert not re.search(r"url\(|@import|https?://", html)


def test_images_have_a_text_and_a_caption(path: Path) -> None:
    page = page_of(path)
    assert all(found["alt"] for tag, found in page.seen if tag == "img")
    assert [tag for tag, _ in page.seen].count("figcaption") == FIGURES


def test_new_images_stand_beside_real_ones(
    make_examples: Callable[..., Examples], make_model: Callable[..., Model], path: Path, tmp_path: Path
) -> None:
    examples = make_examples(training=30)
    settings = EvaluateSettings(name="tiny", title="", seed=0, evaluate=EvaluateSection(importance_samples=2))
    evaluation = ModelEvaluation(tmp_path / "evaluation")
    evaluate(examples, make_model(examples), None, evaluation, settings)
    words = page_of(evaluation.report_path).words
    assert "30 new images: Fréchet distance" in words.replace("NEW", "new")
    assert "New images" in words and "Training images: the floor" in words
    assert "Log-likelihood" in words and "for the log-likelihood 2" in words
    without = page_of(path).words
    assert "Not compared with test images: distances need more than 5 test and training images" in without
    assert "Training images: the floor" not in without


def test_what_others_wrote_is_escaped(path: Path) -> None:
    page = page_of(path)
    assert "Tiny <i>images</i>" in page.text
    assert all(name in page.text for name in NAMES)
    assert not any(tag in ("i", "script") for tag, _ in page.seen)


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
    for setting in ("model.latent_dim 2", 'preprocess.split_salt ""', "sources[0].kind digits", "name tiny"):
        assert setting in words
    assert "all images 0 0 30" in words
    assert "2 too large" in words


def test_it_names_no_date_and_no_duration(path: Path) -> None:
    text: Any = page_of(path).text
    assert "2020-01-01" not in text
    assert "1.5" not in re.findall(r"\S+", text)


def test_a_recipe_without_a_title_goes_by_its_name(artifacts: tuple[Examples, Model], tmp_path: Path) -> None:
    evaluation = ModelEvaluation(tmp_path / "untitled")
    settings = EvaluateSettings(name="nameless", title="", seed=0, evaluate=EvaluateSection(scatter_images=1))
    evaluate(*artifacts, None, evaluation, settings)
    assert "<h1>nameless</h1>" in evaluation.report_path.read_text(encoding="utf-8")
