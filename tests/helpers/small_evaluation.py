"""Evaluations of tiny models, each of which takes a second or two. No test is here."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts.kinds import Examples, Model, ModelEvaluation
from schemas.recipe.evaluate import EvaluateSection
from schemas.recipe.settings import EvaluateSettings

FIGURE_DPI = 20  # enough for a file of each figure: what figures look like is tested beside them
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
LABELLED: dict[str, Any] = {"labels": [0, 1] * 15, "names": ("hat", "shoe"), "training": 24, "validation": 12}
WHOLE: dict[str, Any] = {
    "sampler": "uniform",
    "low_data": [1, 99],
    "low_data_draws": 2,
    "gates": {name: {"at_least": 0} for name in GATES},
}


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        artifact: Its folder.
        counts: What the stage returned.
        console: What the stage printed.
    """

    artifact: ModelEvaluation
    counts: dict[str, int]
    console: str

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of ``metrics.json``."""
        return json.loads(self.artifact.metrics_path.read_bytes())

    @cached_property
    def report(self) -> str:
        """The report's words, without its tags."""
        page = self.artifact.report_path.read_text(encoding="utf-8")
        words = re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL)
        return " ".join(html.unescape(words).split())

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The content of every file, by its path within the folder."""
        paths = (path for path in sorted(self.artifact.path.rglob("*")) if path.is_file())
        return {path.relative_to(self.artifact.path).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def eager_training() -> Iterator[None]:
    """Train without tracing a step, which takes a second: longer than the few steps of a test."""
    import keras

    compile_network = keras.Model.compile

    def compile_eagerly(network: Any, **options: Any) -> None:
        compile_network(network, run_eagerly=True, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", compile_eagerly)
        yield


@contextmanager
def small_networks(*, validation_images: int = 10) -> Iterator[None]:
    """Make feature networks small and their training short; let few validation images be enough to choose a sampler."""
    from components.engine.device import prepare_device
    from components.evaluate.samples import classifier, features, low_data, sampler_choice

    with pytest.MonkeyPatch.context() as patch, eager_training():
        patch.setattr(features, "FILTERS", (4, 8, 16))
        patch.setattr(classifier, "MAX_EPOCHS", 2)
        patch.setattr(low_data, "STEPS", 2)
        patch.setattr(sampler_choice, "MIN_VALIDATION", validation_images)
        prepare_device(deterministic=True)
        yield


def evaluate_small(
    examples: Examples,
    model: Model,
    folder: Path,
    *,
    seed: int = 0,
    title: str = "Tiny",
    figures: bool = False,
    **section: Any,
) -> Evaluation:
    """Evaluate a model as the pipeline does, with small feature networks.

    Args:
        examples: The Examples.
        model: The Model.
        folder: Where the evaluation goes.
        seed: The recipe's.
        title: The recipe's.
        figures: Whether figures are drawn, at a low resolution.
        section: Settings of the recipe's section `evaluate`.
    """
    from components.evaluate.component import evaluate
    from components.evaluate.report import gallery
    from components.reporting import style

    save = style.save

    def save_at_low_resolution(figure: Any, path: Path) -> None:
        figure.set_dpi(FIGURE_DPI)
        save(figure, path)

    artifact = ModelEvaluation(folder)
    settings = EvaluateSettings(
        name="tiny", title=title, seed=seed, evaluate=EvaluateSection(**{"importance_samples": 2, **section})
    )
    with pytest.MonkeyPatch.context() as patch, small_networks(), redirect_stdout(StringIO()) as console:
        if figures:
            patch.setattr(style, "save", save_at_low_resolution)
        else:
            patch.setattr(gallery, "draw", lambda *args, **options: [])
        counts = evaluate(examples, model, None, artifact, settings)
    return Evaluation(artifact, counts, console.getvalue())
