"""`compare`: one page of several runs, with their figures, images and settings."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers.generators_here import run_here
from helpers.paths import ROOT

from pipeline.tools.compare import images


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


def test_names_in_one_text_are_split_as_in_a_shell(compare: Callable[..., tuple[int, str, str]]) -> None:
    """As make passes RUNS on."""
    err = compare("--names", "bare 'a b/o'\\''brien $x;y'")[2]
    assert "error: a b/o'brien $x;y: expected a run with an evaluation" in err
    err = compare("--names", "bare o'brien")[2]
    assert err.startswith('error: RUNS: expected names with spaces between them, found "bare o\'brien"')
    assert err.count("\n") == 1


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
