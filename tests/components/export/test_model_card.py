"""The model card is published: labels, titles and descriptions of anybody stay texts in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from helpers.by_hand import describe, write_evaluation

from components.export.model_card import model_card
from schemas.artifacts.kinds import Model, ModelEvaluation
from schemas.recipe.recipe import ExportSection
from schemas.recipe.settings import ExportSettings

HOSTILE = "<script>alert(1)</script>\n\n# Head | [link](http://x) \x1b[31m"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt; # Head \\| \\[link\\](http://x) �\\[31m"


@pytest.fixture
def card(tmp_path: Path, seal: Callable[..., None]) -> Callable[..., str]:
    """Return a function that writes a card with a text in every place: ``card("text", licence="MIT")``."""

    def write(text: str, *, licence: str, change: Callable[[dict[str, Any]], None] = lambda document: None) -> str:
        evaluation, model = ModelEvaluation(tmp_path / "evaluation"), Model(tmp_path / "model")
        write_evaluation(evaluation)
        document = json.loads(evaluation.metrics_path.read_text())
        document["metrics"] = {text: {"value": 0.25, "standard_error": None, "unit": text, "better": text}}
        document["memorisation"] = {"left_out": text}
        document["gates"] = [{"gate": text, "expected": text, "found": None, "why": text, "passed": False}]
        change(document)
        evaluation.metrics_path.write_text(json.dumps(document))
        seal(evaluation)
        model.path.mkdir()
        settings = {"model": {"network": "dense"}, "loss": {"likelihood": "bernoulli"}}
        recipe = {"name": "bars", "title": text, "sources": [{"kind": "folder"}], "data": {"about": text}}
        manifest = {"settings": settings, "counts": {"epochs": 3}, "versions": {"latent-mill": "1"}, "recipe": recipe}
        seal(model, manifest=manifest, Examples="12ab", start_from="34cd")
        vae: Any = SimpleNamespace(
            image_shape=(8, 8, 1), latent_dim=3, conditional=True, labels=(text, "cat"), sharp_decoder=None
        )
        return model_card(
            vae,
            model=model,
            statistics=describe(),
            evaluation=evaluation,
            settings=ExportSettings(seed=0, export=ExportSection(licence=licence)),
            infra={},
        )

    return write


def test_texts_of_somebody_else_stay_texts(card: Callable[..., str]) -> None:
    written = card(HOSTILE, licence=HOSTILE)
    for place in (
        f"# {SHOWN}\n",
        f"given ({SHOWN}, cat)",
        f"\n{SHOWN}\n",
        f"**Licence of this generator**: {SHOWN}. ",
        f"| {SHOWN} | 0.2500 | {SHOWN} | {SHOWN} |",
        f"**Memorisation**: not measured: {SHOWN}.",
        f"| {SHOWN} | {SHOWN} | {SHOWN} | **no** |",
    ):
        assert place in written
    body = written.split("---\n", 2)[2]
    for raw in ("<script", "\x1b", "[link](", "\n# Head"):
        assert raw not in body


@pytest.mark.parametrize(
    ("licence", "line"),
    [("CC-BY-4.0", "license: CC-BY-4.0\n"), ("a: b\n# c", 'license: "a: b\\n# c"\n'), (HOSTILE, 'license: "<script>')],
)
def test_the_head_is_yaml_with_any_licence(card: Callable[..., str], licence: str, line: str) -> None:
    written = card("text", licence=licence)
    assert written.startswith(f"---\n{line}")
    head = yaml.safe_load(written.split("---\n")[1])
    assert (head["license"], head["library_name"]) == (licence, "keras")


def test_numbers_are_rounded_as_in_the_report(card: Callable[..., str]) -> None:
    def add_numbers(document: dict[str, Any]) -> None:
        document["metrics"] = {
            "elbo": {"value": -118.123456, "standard_error": 1.61803, "unit": "nats", "better": "higher"}
        }
        sides = {
            side: {"frechet": frechet, "kernel": {"value": 0.0123456, "low": 0.0102, "high": 0.0145}}
            for side, frechet in (("synthetic", 1.61251), ("floor", 1.1))
        }
        document["distances"] = {"random": {"space": "random features", **sides}}
        few = {"accuracy": {"real": {"value": 0.5}}, "gain": {"new": {"value": 0.0712, "low": 0.051, "high": 0.0914}}}
        document["usefulness"] = {"low_data": {"sizes": {"10": few, "99": {"left_out": "there are fewer"}}}}

    written = card("text", licence="MIT", change=add_numbers)
    assert "| elbo | −118.1 ± 1.6 | nats | higher |" in written
    assert "| random features | 1.613 | 1.100 | 0.0123 | 0.0123 |" in written
    assert "| 10 | 50.0% | 7.1 (5.1 to 9.1) | – |" in written
    assert "a value below it does not mean better images than real ones" in written
