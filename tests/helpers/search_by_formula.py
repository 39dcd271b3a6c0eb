"""A search whose candidates are judged by a formula instead of a training. No test is here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from components.tune import search, tuner
from components.tune.trial import Report, TrialFailed
from schemas.artifacts.kinds import HyperParameters
from schemas.recipe.settings import TuneSettings


class Killed(BaseException):
    """Stands for a kill: nothing in the project catches it."""


def formula(latent_dim: int, learning_rate: float) -> float:
    """Return an ELBO that is highest at latent_dim 3 and learning rate 0.001."""
    return -100.0 - (latent_dim - 3) ** 2 - math.log10(learning_rate / 1e-3) ** 2


def judge_by_formula(
    monkeypatch: pytest.MonkeyPatch,
    *,
    killed_in: int | None = None,
    failing: Callable[[float], bool] | None = None,
    whole_results: bool = False,
) -> list[int]:
    """Replace trainings by the formula; return a list that grows by each trial's epochs.

    Every candidate's value grows with the epochs, and a good one's is ahead of a bad one's from the first.

    Args:
        monkeypatch: Of the test.
        killed_in: The number of the trial, from 1, in which the search is killed after an epoch.
        failing: Whether a trial with this learning rate fails.
        whole_results: Whether the search draws its figure and fits its forest, which take longer than all its trials.
    """
    epochs_of_trials: list[int] = []

    def run_trial(
        _: Any, __: Any, settings: TuneSettings, *, epochs: int, count: int, report: Report, whole: bool
    ) -> tuple[int, float]:
        epochs_of_trials.append(epochs)
        value = formula(settings.model.latent_dim, settings.train.learning_rate)
        if failing and failing(settings.train.learning_rate):
            raise TrialFailed("out of memory")
        for epoch in range(1, epochs):
            behind = report(epoch, value - (epochs - epoch))
            if len(epochs_of_trials) == killed_in:
                raise Killed  # when it has already reported something
            if behind:
                return epoch, value - (epochs - epoch)
        return epochs, value

    monkeypatch.setattr(tuner, "run_trial", run_trial)
    if not whole_results:
        draw_nothing(monkeypatch)
    return epochs_of_trials


def draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches write an empty figure, and say nothing of what mattered."""
    monkeypatch.setattr(search, "search_figure", lambda *_, **__: Figure())
    monkeypatch.setattr(search, "importance", lambda *_: None)


def trials(hyperparameters: HyperParameters) -> list[dict[str, Any]]:
    """Return a row per trial."""
    rows: list[dict[str, Any]] = pq.read_table(hyperparameters.trials_path).to_pylist()
    return rows


def best(hyperparameters: HyperParameters) -> dict[str, Any]:
    """Return the best values, by recipe key."""
    values: dict[str, Any] = json.loads(hyperparameters.best_path.read_text())
    return values


def results(hyperparameters: HyperParameters) -> tuple[bytes, bytes]:
    """Return what must not depend on interruptions."""
    return hyperparameters.best_path.read_bytes(), hyperparameters.trials_path.read_bytes()
