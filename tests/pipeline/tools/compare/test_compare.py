"""`compare`: one page of several runs, the same images and codes by each, and a line where something is wrong."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import write_recipe
from helpers.paths import ROOT
from helpers.runs_by_hand import figure, picture, seal, write_run
from matplotlib.figure import Figure

from components.images.prepare import prepare_image
from components.reporting import tsne
from pipeline.cli.app import app, guarded
from pipeline.tools.compare import images, process
from pipeline.tools.compare.codes import draw_codes
from pipeline.tools.compare.images import Inputs, Outputs, choose_test_images, inputs_of, run_generators
from pipeline.tools.compare.process import COUNT, run_generator, shared_codes
from pipeline.tools.compare.runs import read_runs
from schemas.artifacts.kinds import Generator, HyperParameters, Model, ModelEvaluation
from schemas.recipe.recipe import Recipe

SHARED = range(6, 18)  # test images of `colour`; the first six of `grey`'s are not among them


@pytest.fixture(scope="module")
def shelf(home: Path) -> Path:
    """Run `grey`, `twin`, which has its Examples, `colour`, which has others, and `bare`, which has no generator."""
    runs = home / "runs"
    grey, colour = write_recipe(home, "grey"), write_recipe(home, "colour", channels=3)
    metrics = {"ssim": figure(0.5, 0.01), "elbo": figure(-100.0, 1.0)}
    write_run(runs / "grey", grey, metrics=metrics, train=[50])
    twin = grey.model_copy(update={"name": "twin", "train": grey.train.model_copy(update={"epochs": 99})})
    write_run(runs / "twin", twin, metrics={"ssim": figure(0.9, 0.01), "elbo": figure(-101.0, 1.0)}, train=[50])
    shutil.copytree(runs / "grey" / "generator", runs / "twin" / "generator")
    write_run(runs / "colour", colour, metrics=metrics, test=SHARED, train=[0, 1])
    write_run(runs / "bare", grey, metrics=metrics, train=[50])
    (runs / "empty").mkdir()
    return runs


@pytest.fixture
def copied(shelf: Path, tmp_path: Path) -> Path:
    """Return the same runs, to be damaged."""
    return Path(shutil.copytree(shelf, tmp_path / "runs"))


@pytest.fixture
def compare(shelf: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process: ``compare(a, b)`` → status, standard output, standard error."""

    def run(*words: str | Path, runs: Path = shelf) -> tuple[int, str, str]:
        status = guarded(lambda: app(["compare", *map(str, words), "--runs", str(runs)]))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def run_here(module: str, arguments: Sequence[str | Path], *, name: str) -> None:
    """Run generators in this process: another one needs seconds to load TensorFlow."""
    assert (module, name) == ("pipeline.tools.compare.process", "compare")
    process.main(*map(str, arguments))


@pytest.fixture(scope="module")
def outputs(shelf: Path) -> dict[str, Outputs]:
    """Return the outputs of the generators of grey, twin and colour."""
    runs = read_runs(["grey", "twin", "colour"], runs=shelf)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "run_module", run_here)
        return {output.run.name: output for output in run_generators(runs, choose_test_images(runs))}


class Page(HTMLParser):
    """Tags of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text = f"{self.text} {' '.join(data.split())}"

    def all(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def test_the_page_and_the_table_say_which_run_is_best(
    compare: Callable[..., tuple[int, str, str]], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "run_module", run_here)
    status, out, err = compare("grey", "twin", "bare")
    assert (status, err) == (0, "")
    path = shelf / "compare-grey-twin-bare.html"
    assert f"wrote {path}" in out
    assert re.search(r"SSIM +0\.500 ± 0\.010 ▽ behind +0\.900 ± 0\.010 ★ best", out)
    assert "no images of bare: it has no generator; run make export RECIPE=bare" in out
    page = Page(path.read_text())
    assert "Best by more than the uncertainty: twin in 1 figure. No clear best in 1 figure." in page.text
    assert "twin is best, ahead of grey by 0.400" in page.text
    assert "Nothing by bare: it has no generator; run make export RECIPE=bare." in page.text
    assert "3 dimensions: grey and twin" in page.text
    assert "Codes of the same test images" in page.text
    [scatter] = [image["alt"] for image in page.all("img") if "t-SNE" in image["alt"]]
    assert scatter.endswith("codes of 12 test images, laid out by t-SNE, one for each run: grey, twin.")

    # One file that needs nothing else; readable by ear and by keyboard.
    sources = [image["src"] for image in page.all("img")]
    assert len(sources) == 3 + 1 + 2 + 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(image["alt"] for image in page.all("img"))
    assert not page.all("script", "link", "iframe")
    links = [link["href"] for link in page.all("a")]
    assert links == ["grey/evaluation/report.html", "twin/evaluation/report.html", "bare/evaluation/report.html"]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    scrolled = [attributes for attributes in page.all("div") if attributes.get("class") == "scroll"]
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in scrolled)

    # Only what differs stands open.
    open_part, _, folded = path.read_text().replace("<wbr>", "").partition("<details>")
    assert "train.epochs" in open_part
    assert "99" in open_part
    assert "train.batch_size" in folded
    assert "train.batch_size" not in open_part


def test_every_run_gets_the_same_images_and_codes(outputs: dict[str, Outputs], shelf: Path) -> None:
    grey, twin = outputs["grey"], outputs["twin"]
    assert grey.inputs.images is not None
    assert twin.inputs.images is not None
    # 0 and 1 are skipped: colour was trained on them.
    np.testing.assert_array_equal(grey.inputs.images, [picture(number) for number in range(2, 12)])
    np.testing.assert_array_equal(twin.inputs.images, grey.inputs.images)
    labels = np.zeros(0, np.int64)
    alone = run_generator(
        shelf / "grey" / "generator" / "saved_model",
        images=grey.inputs.images,
        labels=labels,
        scatter_images=grey.inputs.images,
        scatter_labels=labels,
    )
    for name in ("reconstructed", "decoded", "sampled", "codes"):
        assert len(getattr(grey, name)) == COUNT
        np.testing.assert_array_equal(getattr(twin, name), getattr(grey, name))  # it is the same generator
        np.testing.assert_array_equal(alone[name], getattr(grey, name))
    assert outputs["colour"].codes.shape == grey.codes.shape == (COUNT, 3)
    assert grey.latent_dim == outputs["colour"].latent_dim == 3
    assert (shared_codes(3) == shared_codes(3)).all()


def test_an_image_is_seen_as_the_runs_own_examples_have_it_or_as_its_recipe_makes_it(
    outputs: dict[str, Outputs], shelf: Path
) -> None:
    inputs = outputs["colour"].inputs
    assert inputs.images is not None
    preprocess = Recipe.model_validate(Generator(shelf / "colour" / "generator").manifest.recipe).preprocess
    for place, number in enumerate(range(2, 12)):
        expected = picture(number, channels=3) if number in SHARED else prepare_image(picture(number), preprocess)
        np.testing.assert_array_equal(inputs.images[place], expected)
    assert inputs.note == (
        "6 images as its own Examples have them; the others are of grey’s test split, brought from 8 × 8 grey to 8 × 8 RGB as "
        "its recipe says."
    )


def test_images_that_another_run_was_trained_on_are_shown_where_there_are_no_others(copied: Path) -> None:
    recipe = Recipe.model_validate(Generator(copied / "colour" / "generator").manifest.recipe)
    for name in ("examples", "evaluation"):
        shutil.rmtree(copied / "colour" / name)
    write_run(copied / "colour", recipe, test=[80], train=range(12))
    runs = read_runs(["grey", "colour"], runs=copied)
    test_images = choose_test_images(runs)
    assert test_images is not None
    assert (len(test_images.images), test_images.skipped) == (12, "")
    inputs = inputs_of(runs[1], Generator(copied / "colour" / "generator"), test_images.first(COUNT))
    assert inputs.note.endswith("It was trained on 10 of them.")


def test_a_generator_of_another_model_shows_nothing(copied: Path) -> None:
    recipe = Recipe.model_validate(Generator(copied / "grey" / "generator").manifest.recipe)
    seal(Generator(copied / "twin" / "generator"), recipe, inputs={"Model": "34cd" * 16})
    twin = read_runs(["grey", "twin"], runs=copied)[1]
    assert twin.generator is None
    assert twin.no_generator == ("its generator is of another model than its evaluation; run make export RECIPE=twin")


def test_what_a_search_chose_stands_in_place_of_the_recipes_value(copied: Path) -> None:
    run = copied / "twin"
    recipe = Recipe.model_validate(ModelEvaluation(run / "evaluation").manifest.recipe)
    tuned, model = HyperParameters(run / "hyperparameters"), Model(run / "model")
    tuned.path.mkdir()
    tuned.best_path.write_text('{"train.learning_rate": 0.005}')
    seal(tuned, recipe, inputs={})
    model.path.mkdir()
    seal(model, recipe, inputs={"HyperParameters": tuned.digest})
    evaluation = ModelEvaluation(run / "evaluation")
    seal(evaluation, recipe, inputs={**evaluation.manifest.inputs, "Model": model.digest})
    settings = read_runs(["grey", "twin"], runs=copied)[1].settings
    assert settings["train.learning_rate"] == "0.005 (tuned)"


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ([], 2, 'compare: expected two runs or more, found none; set RUNS="a b"'),
        (["grey"], 2, 'compare: expected two runs or more, found grey alone; set RUNS="a b"'),
        (
            ["grey", "twyn"],
            2,
            "twyn: expected a run with an evaluation, found no folder {runs}/twyn; did you mean twin?",
        ),
        (["grey", "{runs}/grey"], 2, "{runs}/grey: expected runs that differ, found the same one twice (grey)"),
        (
            ["grey", "{runs}/grey/evaluation/metrics.json"],
            2,
            "metrics.json: expected the folder of a run, found a file",
        ),
        (
            ["grey", "empty"],
            1,
            "{runs}/empty/evaluation: expected a ModelEvaluation, found none; run make evaluate RECIPE",
        ),
        (["", "grey"], 2, "RUNS: expected names of runs, found an empty one"),
        (["grey", "twin", "--out", "a.png"], 2, "--out a.png: expected a name that ends in .html, found a.png"),
        (
            ["grey", "twin", "--out", "{runs}/grey/evaluation/a.html"],
            2,
            "expected a place outside artifacts, which hold",
        ),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], status: int, line: str, compare: Callable[..., tuple[int, str, str]], shelf: Path
) -> None:
    actual, out, err = compare(*(word.format(runs=shelf) for word in words))
    assert (actual, out) == (status, "")
    assert err.count("\n") == 1
    assert line.format(runs=shelf) in err


@pytest.mark.parametrize(
    "damaged",
    [
        "evaluation/metrics.json",
        "generator/saved_model/saved_model.pb",
        "examples/Split-test/data_tfrecord-00000-of-00001",
    ],
)
def test_a_damaged_artifact_is_one_line(
    damaged: str, compare: Callable[..., tuple[int, str, str]], copied: Path
) -> None:
    path = copied / "grey" / damaged
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # of the same size
    path.write_bytes(data)
    status, out, err = compare("grey", "twin", runs=copied)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert f"{path}: expected " in err


@pytest.mark.process
def test_a_generator_that_tensorflow_cannot_load_is_one_line(
    compare: Callable[..., tuple[int, str, str]], copied: Path
) -> None:
    generator = Generator(copied / "grey" / "generator")
    (generator.saved_model_path / "saved_model.pb").write_bytes(b"none")
    seal(generator, Recipe.model_validate(generator.manifest.recipe), inputs=generator.manifest.inputs)
    assert compare("grey", "bare", runs=copied)[0] == 2  # this machine did not make it
    status, _, err = compare("grey", "bare", "--trust", runs=copied)
    assert status == 1
    assert err.startswith("error: compare: ended unexpectedly (status 1): ")
    assert not (copied / "compare-grey-bare.html").exists()


def test_names_in_one_text_are_split_as_in_a_shell(compare: Callable[..., tuple[int, str, str]]) -> None:
    """As make passes RUNS on."""
    err = compare("--names", "bare 'a b/o'\\''brien $x;y'")[2]
    assert "error: a b/o'brien $x;y: expected a run with an evaluation" in err
    err = compare("--names", "bare o'brien")[2]
    assert err.startswith('error: RUNS: expected names with spaces between them, found "bare o\'brien"')
    assert err.count("\n") == 1


def test_runs_of_one_name_are_told_apart_by_their_paths(shelf: Path, copied: Path) -> None:
    assert [run.name for run in read_runs(["bare", str(copied / "bare")], runs=shelf)] == [
        str(shelf / "bare"),
        str(copied / "bare"),
    ]


@pytest.mark.process
def test_comparing_figures_alone_loads_neither_tensorflow_nor_beam_and_makes_the_same_bytes(
    compare: Callable[..., tuple[int, str, str]], copied: Path
) -> None:
    shutil.rmtree(copied / "grey" / "generator")
    heavy = ("tensorflow", "keras", "apache_beam", "matplotlib", "sklearn")
    code = (
        "import sys; from pipeline.cli.app import app, guarded\n"
        f"status = guarded(lambda: app(['compare', 'grey', 'bare', '--runs', {str(copied)!r}]))\n"
        f"sys.exit(status or bool([name for name in {heavy!r} if name in sys.modules]))"
    )
    environment: Any = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = (copied / "compare-grey-bare.html").read_bytes()
    assert "replaced" in compare("grey", "bare", runs=copied)[1]
    assert (copied / "compare-grey-bare.html").read_bytes() == page


def test_codes_are_drawn_with_a_panel_for_each_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = write_recipe(tmp_path, "plain")
    plain = plain.model_copy(update={"loss": plain.loss.model_copy(update={"kl": "none"})})
    for name, recipe in (("vae", write_recipe(tmp_path, "vae")), ("plain", plain)):
        write_run(tmp_path / name, recipe, labels=["cat", "dog"])
    runs = read_runs(["vae", "plain"], runs=tmp_path)
    test_images = choose_test_images(runs)
    assert test_images is not None
    none = np.zeros((0, 8, 8, 1), np.uint8)
    codes = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    inputs = Inputs(None, np.zeros(0, np.int64), "")
    outputs = [Outputs(run, 3, inputs, none, none, none, codes=of_run) for run, of_run in zip(runs, codes, strict=True)]
    drawn: list[Any] = []

    def scatter(panels: Any, **options: Any) -> Any:
        drawn.append((panels, options))
        return Figure(figsize=(1, 1))

    monkeypatch.setattr(tsne, "tsne_scatter", scatter)
    plot = draw_codes(outputs, test_images)
    assert plot is not None
    assert plot.alt.endswith("one for each run: vae, plain; coloured by label.")
    [(panels, options)] = drawn
    assert [title for title, _ in panels] == ["vae", "plain, a plain autoencoder"]
    for (_, points), of_run in zip(panels, codes, strict=True):
        np.testing.assert_array_equal(points, tsne.embed(of_run, seed=0))
    assert options["labels"].tolist() == [0, 1] * 6
    assert options["names"] == ("cat", "dog")
    assert draw_codes([], test_images) is None
