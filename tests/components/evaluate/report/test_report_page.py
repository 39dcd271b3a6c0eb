"""The report as a page: contrast in both themes, headings, landmarks, names of what can be focused, and nothing loaded."""

import base64
import hashlib
import itertools
import re
from html import unescape
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from helpers.by_hand import describe
from helpers.html_page import Page, page_from
from helpers.judgements import measured
from PIL import Image

from components.evaluate.reconstruction.moments import Estimate
from components.evaluate.report.gates import Outcome
from components.evaluate.report.page import HERE, Part, ReportFigure, Subject, render
from components.evaluate.report.search import Search
from components.evaluate.samples.judgement import Judgement
from models.code_samplers import Normal
from schemas.artifacts.manifest import Manifest
from schemas.artifacts.tables import HISTORY
from schemas.recipe.evaluate import EvaluateSection
from schemas.recipe.model import BernoulliLoss, ConvModel
from schemas.recipe.recipe import Recipe, TrainSection
from schemas.recipe.settings import EvaluateSettings

STYLE = (HERE / "report.css").read_text(encoding="utf-8")
THEMES = ("light", "dark", "print")
TEXT = ("ink", "muted", "accent", "second")  # colours of text, and of the curves
GROUNDS = ("page", "card")
AA = 4.5  # WCAG 2.2, 1.4.3, of text of any size


def manifest(kind: str, **fields: object) -> Manifest:
    nothing = {"inputs": {}, "settings": {}, "counts": {}, "files": {}, "recipe": {}, "versions": {}}
    return Manifest.model_validate(
        {"type": kind, "digest": kind[0] * 64, "duration_seconds": 1.0, "created": "2020-01-01", **nothing, **fields}
    )


MODEL = {
    "seed": 0,
    "model": ConvModel(network="conv", latent_dim=8).model_dump(mode="json"),
    "loss": BernoulliLoss(likelihood="bernoulli").model_dump(mode="json"),
    "train": TrainSection(epochs=5).model_dump(mode="json"),
}
EXAMPLES = {"seed": 0, "sources": [{"kind": "digits"}], "preprocess": {"height": 28, "width": 28, "channels": 1}}
TRIALS = [
    {
        "trial": "0",
        "epochs_run": 2,
        "val_elbo": -5.0,
        "val_elbo_by_epoch": [-9.0, -5.0],
        "train.learning_rate": 0.02,
        "train.epochs": 7,
    },
]


def rendered(folder: Path, *, with_search: bool = True) -> str:
    """Return a report with every table and every figure."""
    path = folder / "figure.png"
    Image.new("L", (4, 4)).save(path)
    rows = {name: [3.0, 2.0, 1.0] for name in HISTORY.names} | {
        "epoch": [1, 2, 3],
        "learning_rate": [1e-2, 1e-3, 1e-4],
    }
    best = {"train.learning_rate": 0.02}
    search = Search(manifest("HyperParameters"), TRIALS, "0", best, "it won -5")
    subject = Subject(
        settings=EvaluateSettings(name="tiny", title="Tiny", seed=0, evaluate=EvaluateSection()),
        statistics=describe(labels=["a", "b"], images={"train": 90, "validation": 5, "test": 5}),
        examples=manifest("Examples", settings=EXAMPLES),
        model=manifest("Model", settings=MODEL, inputs={"Examples": "E" * 64, "HyperParameters": "H" * 64}),
        likelihood="Bernoulli",
        parameters=1234,
        history=pa.table(rows).cast(HISTORY),
        loss_unit="nats per image",
        search=search if with_search else None,
    )
    measurement = measured(
        [1.0] * 8,
        estimates={"ssim": Estimate(0.9, 0.001), "psnr": Estimate(17.66, 0.02), "kl": Estimate(3.0, 0.1)},
        plain_colour={"ssim": 0.25, "psnr": 9.5},
    )
    parts: tuple[Part, ...] = ("new", "likeness", "latent")
    figures = [
        ReportFigure(path, "Title", alt="What it shows.", caption="Look.", layout="full", part=part)
        for part in (*parts, "training")
    ]
    return render(
        subject,
        measurement=measurement,
        judgement=Judgement(Normal(8), "not measured", "", *["not measured"] * 4),
        gates=[Outcome("metrics.mse", "at most 1", 0.5, passed=True)],
        smoothness=None,
        figures=figures,
    )


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return page_from(html)


def colours(theme: str) -> dict[str, str]:
    """Return the custom properties of a theme, as the style sheet declares them."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert len(blocks) == len(THEMES)
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks[THEMES.index(theme)]))


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_measured_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_text_has_contrast_enough_in_every_theme(theme: str) -> None:
    palette = colours(theme)
    assert {*TEXT, *GROUNDS} <= set(palette)
    ratios = {(text, ground): contrast(palette[text], palette[ground]) for text in TEXT for ground in GROUNDS}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < AA} == {}


def test_every_colour_is_one_of_the_themes() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) == {"#fff"}  # under figures, which are drawn on white
    assert "rgb" not in rules and "hsl" not in rules


def test_heading_levels_go_down_one_by_one(page: Page) -> None:
    levels = [level for level, _ in page.heads]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.heads[1] == (2, "The verdict in five lines")
    assert all(words.strip() for _, words in page.heads)


def test_the_page_begins_with_the_verdict_in_five_lines(page: Page) -> None:
    assert len(page.of("dt")) == len(page.of("dd")) == 5
    labels = ("Quality", "Use of the latent space", "Memorisation", "Gates", "What to try next")
    places = [page.words.index(label) for label in labels]
    assert places == sorted(places)
    assert places[-1] < page.words.index("New images beside real ones")


def test_landmarks_have_names_and_the_skip_link_leads_to_one(page: Page) -> None:
    assert [len(page.of(tag)) for tag in ("main", "header", "nav")] == [1, 1, 1]
    assert page.of("a")[0] == {"class": "skip", "href": "#main"}
    assert all(attributes.get("aria-label") for attributes in page.of("nav"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(attributes["href"])[1:] for attributes in page.of("a")} <= set(ids)
    assert {str(attributes["aria-labelledby"]) for attributes in page.of("section")} <= set(ids)
    assert all("aria-labelledby" in attributes for attributes in page.of("section"))


def test_every_scrolling_part_can_be_focused_and_has_a_name(page: Page) -> None:
    scrolls = [attributes for _, attributes in page.tags if "scroll" in (attributes.get("class") or "").split()]
    assert len(scrolls) >= 5
    assert all(
        attributes["tabindex"] == "0" and attributes["role"] == "region" and attributes["aria-label"]
        for attributes in scrolls
    )


def test_images_and_charts_say_what_they_show(page: Page) -> None:
    assert [attributes["alt"] for attributes in page.of("img")] == ["What it shows."] * 3  # training is drawn as curves
    plots = [attributes for attributes in page.of("svg") if "data-panel" in attributes]
    assert [attributes["data-panel"] for attributes in plots] == [
        "Loss", "Reconstruction", "KL divergence", "Learning rate", "Validation ELBO",
    ]  # fmt: skip
    assert all(attributes["role"] == "img" and len(str(attributes["aria-label"])) > 40 for attributes in plots)


def test_nothing_is_loaded_and_only_the_pages_own_code_may_run(html: str, page: Page) -> None:
    assert not re.search(r"https?:|url\(|@import|\bfetch\(|<link|<iframe|javascript:", html)
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on") or key == "style"]
    [policy] = [
        attributes["content"] or ""
        for attributes in page.of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    for kind, content in page.code.items():
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_motion_respects_the_readers_preference() -> None:
    block = re.search(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", STYLE, re.DOTALL)
    assert block and "scroll-behavior" in block[0]
    rest = STYLE.replace(block[0], "")
    assert not re.search(r"scroll-behavior|transition|animation", rest)


def test_each_metric_names_its_reference(page: Page) -> None:
    assert "One colour, the training images’ mean, in place of every reconstruction reaches 0.2500." in page.words
    assert "in place of every reconstruction reaches 9.500." in page.words
    assert "Its floor is 0: codes that carry no information." in page.words
    tiles = sum("tile" in (attributes.get("class") or "").split() for attributes in page.of("article"))
    assert tiles - 1 == sum(
        attributes.get("class") == "reference" for attributes in page.of("p")
    )  # latent dimensions have a doc


def recipe_in(html: str) -> dict[str, object]:
    [block] = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", html, re.DOTALL)
    recipe: dict[str, object] = yaml.safe_load(unescape(block))
    return recipe


def test_the_recipe_is_valid_and_has_the_searchs_values(html: str, page: Page) -> None:
    recipe = Recipe.model_validate(recipe_in(html))
    assert (recipe.name, recipe.title, recipe.seed) == ("tiny", "Tiny", 0)
    assert recipe.train == TrainSection(epochs=5, learning_rate=0.02, use_tuned=False)
    assert recipe.model == ConvModel(network="conv", latent_dim=8)
    assert "It has the search’s values" in page.words


def test_without_a_search_none_is_shown(tmp_path: Path) -> None:
    html = rendered(tmp_path, with_search=False)
    assert Recipe.model_validate(recipe_in(html)).train == TrainSection(epochs=5)
    words = page_from(html).words
    assert "The search before training" not in words and "HyperParameters above" not in words


def test_the_lineage_leads_through_the_search(page: Page) -> None:
    assert f"HyperParameters {'H' * 64} made from the Examples above" in page.words
    assert f"Model {'M' * 64} made from the Examples above and the HyperParameters above" in page.words
    assert "It won −5." in page.words


def test_the_same_inputs_make_the_same_bytes(html: str, tmp_path: Path) -> None:
    assert rendered(tmp_path) == html


def test_curves_can_be_read_without_the_script(html: str) -> None:
    without = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    words = page_from(without).words
    assert "Epoch 3 (the best, whose weights were kept) – Loss: training 1.00, validation 1.00" in words
    for row in ("1 3.00 3.00", "2 2.00 2.00", "3 1.00 1.00"):
        assert row in words


def test_a_search_that_the_model_was_not_trained_with_is_not_shown(tmp_path: Path) -> None:
    from schemas.artifacts.kinds import HyperParameters

    hyperparameters = HyperParameters(tmp_path / "hyperparameters")
    hyperparameters.path.mkdir()
    fields = {"inputs": {}, "settings": {}, "counts": {}, "recipe": {}, "versions": {}}
    hyperparameters.seal(**fields, duration_seconds=0.0, created="today")  # type: ignore[arg-type]
    assert Search.of(hyperparameters, model=manifest("Model", inputs={"HyperParameters": "A" * 64})) is None
