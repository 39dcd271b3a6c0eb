"""A search: its results, its ranges, and what a failed trial costs.

Most tests judge a candidate by a formula instead of a training: what they claim does not depend on networks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from helpers.search_by_formula import best, formula, judge_by_formula, results, trials
from matplotlib.figure import Figure
from PIL import Image

from components.tune import search, tuner
from components.tune.component import tune
from components.tune.trial import Report
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.errors import DataError
from schemas.recipe.settings import TuneSettings

MakeSettings = Callable[..., TuneSettings]
Open = Callable[[Path], HyperParameters]
LATENT_DIM, LEARNING_RATE = "model.latent_dim", "train.learning_rate"
ORACLES = ["random", "bayesian", "hyperband"]
EPOCHS = 3
TRIALS = 8  # bayesian draws six at random and then asks a Gaussian process
TuneHere = Callable[..., tuple[HyperParameters, dict[str, int]]]


@pytest.fixture
def tune_here(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> TuneHere:
    """Search in a folder of the test: ``tune_here("one", max_trials=4)`` gives the results and the counts."""

    def run(folder: str = "search", **settings: Any) -> tuple[HyperParameters, dict[str, int]]:
        hyperparameters = open_hyperparameters(tmp_path / folder)
        return hyperparameters, tune(tiny_examples, hyperparameters, make_settings(**settings))

    return run


# --- its results ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_search_names_the_best_of_its_trials_and_stays_within_the_ranges(
    oracle: str, tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = judge_by_formula(monkeypatch, whole_results=oracle == "random")
    hyperparameters, counts = tune_here(oracle=oracle, max_trials=TRIALS, epochs=4)
    rows = trials(hyperparameters)
    early = sum(row["epochs_run"] < row["epochs"] for row in rows)
    assert counts == {"trials": len(epochs), "failed": 0, "ended_early": early}
    assert 1 <= len(epochs) <= TRIALS
    expected = {"model.latent_dim": [2], "train.learning_rate": [1e-3]}
    assert pq.read_schema(hyperparameters.trials_path).equals(tables.trials_schema(expected))
    assert [row["epochs"] for row in rows] == epochs
    assert [row["trial"] for row in rows] == [str(number + 1) for number in range(len(rows))]
    for row in rows:
        assert row["status"] == "COMPLETED"
        assert row["reason"] is None
        assert row[LATENT_DIM] in (2, 3, 4)
        assert 1e-4 <= row[LEARNING_RATE] <= 1e-2
        assert row["val_elbo"] == row["val_elbo_by_epoch"][-1]
        if row["epochs_run"] == row["epochs"]:
            assert row["val_elbo"] == pytest.approx(formula(row[LATENT_DIM], row[LEARNING_RATE]), rel=1e-6)
    whole = [row for row in rows if row["epochs_run"] == max(row["epochs_run"] for row in rows)]
    winner = max(whole, key=lambda row: row["val_elbo"])
    assert best(hyperparameters) == {LATENT_DIM: winner[LATENT_DIM], LEARNING_RATE: winner[LEARNING_RATE]}
    assert json.loads(hyperparameters.summary_path.read_text())["winner"] == winner["trial"]
    with Image.open(hyperparameters.figure_path) as figure:
        assert figure.format == "PNG"


def test_trials_have_the_same_number_on_the_screen_in_the_table_in_the_summary_and_in_the_figure(
    tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge_by_formula(monkeypatch, failing=lambda learning_rate: learning_rate > 2e-3)
    figures: list[tuple[list[str], str]] = []

    def record(rows: list[dict[str, Any]], *, best: str, **_: Any) -> Figure:
        figures.append(([row["trial"] for row in rows], best))
        return Figure()

    monkeypatch.setattr(search, "search_figure", record)
    hyperparameters, _ = tune_here(max_trials=TRIALS, epochs=2)
    numbers = [row["trial"] for row in trials(hyperparameters)]
    screen = capsys.readouterr().out
    summary = json.loads(hyperparameters.summary_path.read_text())
    assert numbers == [str(number) for number in range(1, TRIALS + 1)]
    assert re.findall(rf"trial +(\d+)/{TRIALS}  ", screen) == numbers
    assert figures == [(numbers, summary["winner"])]
    assert f"best    trial {summary['winner']} won with" in screen
    assert summary["verdict"].startswith(f"trial {summary['winner']} won with")


@pytest.mark.parametrize("oracle", ["random", "bayesian"])
def test_a_search_runs_the_number_of_trials_of_the_recipe(
    oracle: str, tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = judge_by_formula(monkeypatch)
    tune_here(oracle=oracle, max_trials=4, epochs=3)
    assert epochs == [3] * 4


def test_hyperband_gives_few_epochs_and_images_to_many_trials_and_many_to_few(
    tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = judge_by_formula(monkeypatch)
    hyperparameters, _ = tune_here(oracle="hyperband", max_trials=50, epochs=9)
    assert epochs[:20] == [2] * 10 + [3] * 5 + [5] * 3 + [9] * 2  # the first bracket
    assert max(epochs) == 9
    # Short trials see a part of the 64 images only, by the square root of the share of epochs.
    assert {row["epochs"]: row["images"] for row in trials(hyperparameters)} == {2: 31, 3: 37, 5: 48, 9: 64}


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_learning_rate_may_be_given_as_one_value(
    oracle: str, tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_by_formula(monkeypatch)
    space = {LATENT_DIM: [2, 3, 4], LEARNING_RATE: [2e-3]}
    hyperparameters, _ = tune_here(oracle=oracle, max_trials=TRIALS, epochs=2, space=space)
    rows = trials(hyperparameters)
    assert {row[LEARNING_RATE] for row in rows} == {2e-3}
    # Three sizes are all that can be tried; what can be tried is not tried twice with as many epochs.
    assert len({(row[LATENT_DIM], row["epochs"]) for row in rows}) == len(rows)
    assert best(hyperparameters)["train.learning_rate"] == 2e-3


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_seed_decides_what_is_tried(seed: int, tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch) -> None:
    judge_by_formula(monkeypatch)
    once, again = (results(tune_here(name, seed=seed)[0]) for name in ("once", "again"))
    assert once == again


# --- trials that fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_failed_trial_is_a_row_with_its_reason_and_the_search_continues(
    oracle: str, tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_by_formula(monkeypatch, failing=lambda learning_rate: learning_rate > 1e-3)
    hyperparameters, counts = tune_here(oracle=oracle, max_trials=7, epochs=4)
    rows = trials(hyperparameters)
    for row in rows:
        if row[LEARNING_RATE] > 1e-3:
            assert (row["status"], row["val_elbo"], row["reason"]) == ("FAILED", None, "out of memory")
        else:
            assert (row["status"], row["reason"]) == ("COMPLETED", None)
    failed = [row for row in rows if row["status"] == "FAILED"]
    assert (counts["trials"], counts["failed"]) == (len(rows), len(failed))
    assert 0 < len(failed) < len(rows)
    assert best(hyperparameters)["train.learning_rate"] <= 1e-3


def test_a_search_whose_trials_all_fail_is_an_error_with_the_reason(
    tune_here: TuneHere, open_hyperparameters: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_by_formula(monkeypatch, failing=lambda _: True)
    expected = r"^tune: expected at least one trial to succeed, found \d+ that failed \(out of memory\)$"
    with pytest.raises(DataError, match=expected):
        tune_here("failed")
    assert not open_hyperparameters(tmp_path / "failed").best_path.exists()


# --- trials that are not worth finishing -------------------------------------------------------------------------------


def test_a_trial_behind_the_median_is_ended_as_completed_at_its_last_value(
    tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge_by_formula(monkeypatch)
    ended, counts = tune_here("ended", max_trials=TRIALS, epochs=EPOCHS)
    assert counts["ended_early"] > 0
    assert "(ended after 1 of 3 epochs: behind the median)" in capsys.readouterr().out
    whole, unhurried = tune_here("whole", max_trials=TRIALS, epochs=EPOCHS, stop_early=False)
    assert unhurried == {"trials": TRIALS, "failed": 0, "ended_early": 0}
    for row, full in zip(trials(ended), trials(whole), strict=True):
        assert row["status"] == "COMPLETED"
        assert row["val_elbo_by_epoch"] == full["val_elbo_by_epoch"][: row["epochs_run"]]
        assert row["val_elbo"] == row["val_elbo_by_epoch"][-1]
    assert best(ended) == best(whole)


def test_when_time_is_up_no_trial_is_begun_and_the_best_so_far_wins(
    tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = judge_by_formula(monkeypatch)
    hyperparameters, counts = tune_here(max_trials=TRIALS, max_minutes=1e-6)
    assert counts["trials"] == len(epochs) == 1  # the first is always begun
    assert best(hyperparameters)[LATENT_DIM] == trials(hyperparameters)[0][LATENT_DIM]


# --- any key -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oracle", ORACLES)
def test_any_key_can_be_searched_and_is_in_the_table_and_in_the_best_values(
    oracle: str, tune_here: TuneHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[TuneSettings] = []

    def run_trial(
        _: Any, __: Any, settings: TuneSettings, *, epochs: int, count: int, report: Report, whole: bool
    ) -> tuple[int, float]:
        tried.append(settings)
        return epochs, -100.0 - len(tried)

    monkeypatch.setattr(tuner, "run_trial", run_trial)
    space = {
        "model.hidden": [[8], [16, 8]],
        "model.latent_dim": {"low": 2, "high": 16, "log": True, "step": 2},
        "model.activation": ["relu", "leaky_relu"],
        "train.batch_size": {"low": 8, "high": 32, "step": 8},
        "train.learning_rate": ["1e-3", "1e-2"],  # YAML reads them as text
    }
    hyperparameters, _ = tune_here(oracle=oracle, max_trials=TRIALS, epochs=4, space=space)
    rows = trials(hyperparameters)
    assert len(rows) == len(tried) > 1
    for row, settings in zip(rows, tried, strict=True):
        assert json.loads(row["model.hidden"]) == list(settings.model.hidden)
        assert row["model.latent_dim"] == settings.model.latent_dim in (2, 4, 8, 16)
        assert row["model.activation"] == settings.model.activation
        assert row["train.batch_size"] == settings.train.batch_size in (8, 16, 24, 32)
        assert row["train.learning_rate"] == settings.train.learning_rate in (1e-3, 1e-2)
    assert best(hyperparameters) == {
        **{key: rows[0][key] for key in space},
        "model.hidden": list(tried[0].model.hidden),
    }
