"""A label that no training image has is refused as soon as Examples are there, before a stage that takes hours."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.chain_by_hand import finish

from pipeline.core import chain, labels, run
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples
from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe


def asking(setting: str) -> Recipe:
    """Return the demo's recipe with a conditional model, and a setting of `generate`."""
    return load_recipe("demo", overrides=["model.conditional=true", setting])


def expect(setting: str, monkeypatch: pytest.MonkeyPatch, **images: int) -> None:
    """Check the labels of a setting beside these numbers of training images by label."""
    statistics = SimpleNamespace(labels=list(images), images_per_label={"train": images})
    monkeypatch.setattr(labels, "read_statistics", lambda examples: statistics)
    labels.expect_labels(asking(setting), Examples(Path("examples")))


@pytest.mark.parametrize(
    "setting", ["generate.label=hat", "generate.labels={hat: 3, shoe: 4}", "generate.labels=balanced"]
)
def test_labels_of_training_images_are_taken(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(setting, monkeypatch, hat=10, shoe=10, sock=0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("generate.label=Hat", r"^generate\.label: expected one of hat, shoe, found Hat$"),
        ("generate.labels={hat: 3, boot: 4}", r"^generate\.labels: expected one of hat, shoe, found boot$"),
        (
            "generate.label=sock",
            r"^generate\.label: expected one of hat, shoe, found sock, which no training image has$",
        ),
    ],
)
def test_others_are_refused(setting: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=message):
        expect(setting, monkeypatch, hat=10, shoe=10, sock=0)


def test_images_without_labels_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^generate\.label: expected none, as no training image has one, found 3$"):
        expect("generate.label=3", monkeypatch)


@pytest.mark.parametrize("dry_run", [True, False])
def test_no_stage_after_ingest_runs_first(dry_run: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = asking("generate.label=11")
    finish(recipe, tmp_path, "ingest")

    def refuse(*_: Any) -> None:
        raise UsageError("no such label")

    monkeypatch.setattr(run, "expect_labels", refuse)
    with pytest.raises(UsageError, match="no such label"):
        run.run_stages(recipe, chain.stages_for("all"), runs=tmp_path, dry_run=dry_run, verbose=False)
    if dry_run:  # what makes no images needs no labels
        run.run_stages(recipe, chain.stages_for("evaluate"), runs=tmp_path, dry_run=True, verbose=False)
