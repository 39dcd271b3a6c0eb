"""KerasTuner's oracles with bookkeeping: their proposals while other trials run, and a full disk."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.search_by_formula import judge_by_formula
from keras_tuner.engine.trial import Trial

from components.tune.bookkeeping import Bookkeeping
from components.tune.component import tune
from components.tune.oracles import make_oracle
from components.tune.state import StateFile
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings

MakeSettings = Callable[..., TuneSettings]


def finish(oracle: Bookkeeping, trial: Trial, elbo: float) -> None:
    """End a trial with this value."""
    oracle.update_trial(trial.trial_id, {"val_elbo": elbo}, step=1)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of so few trials
def test_the_bayesian_search_does_not_take_a_running_trial_for_the_best_there_is(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = make_oracle(make_settings(oracle="bayesian", max_trials=20), state_path=tmp_path / "search.json")
    oracle.create_trial("worker-0")  # it runs on and on
    for _ in range(6):
        trial = oracle.create_trial("worker-1")
        finish(oracle, trial, -100.0 + math.log10(trial.hyperparameters.values["train.learning_rate"]))
    expected: list[list[float]] = []
    original = oracle.gpr.fit
    monkeypatch.setattr(oracle.gpr, "fit", lambda x, y: (expected.append(list(y)), original(x, y))[1])
    oracle.create_trial("worker-1")
    assert len(expected[-1]) == 7  # losses of six that are done and of one that runs
    assert all(95 < loss < 110 for loss in expected[-1])


def test_trials_that_ran_when_a_search_was_killed_are_run_again_and_their_first_reports_forgotten(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    def open_oracle() -> Bookkeeping:
        return make_oracle(make_settings(epochs=5), state_path=tmp_path / "search.json")

    before = open_oracle()
    trials = [before.create_trial(name) for name in ("a", "b", "c")]
    for trial in trials:
        before.update_trial(trial.trial_id, {"val_elbo": -100.0}, step=1)
    finish(before, trials[1], -99.0)

    after = open_oracle()
    after.restore()
    assert after.end_order == [trials[1].trial_id]
    again = [after.create_trial("d"), after.create_trial("e"), after.create_trial("f")]
    assert [trial.trial_id for trial in again] == ["0", "2", "3"]
    for trial, first in zip(again[:2], (trials[0], trials[2]), strict=True):
        assert trial.hyperparameters.values == first.hyperparameters.values
        assert after.curve(trial) == []


def test_a_disk_without_room_ends_the_search_with_the_systems_own_error(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Callable[[Path], HyperParameters],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: Any, __: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hyperparameters = open_hyperparameters(tmp_path)
    judge_by_formula(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left on device"):
        patch.setattr(StateFile, "write", full)
        tune(tiny_examples, hyperparameters, make_settings())
    assert tune(tiny_examples, hyperparameters, make_settings())["trials"] == 5
