"""KerasTuner's search algorithms, with the bookkeeping of this project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner import oracles

from components.tune.bookkeeping import OBJECTIVE, Bookkeeping
from components.tune.space import search_space
from schemas.recipe.settings import TuneSettings

# One in this many trials of a bracket continues. KerasTuner's default is 3. But the first epochs of such short trials say
# little about the last: with 3, trials that would have won were ended.
HALVING = 2


class RandomOracle(Bookkeeping, oracles.RandomSearchOracle):
    """Random search: draws each trial's values independently."""


class HyperbandOracle(Bookkeeping, oracles.HyperbandOracle):
    """Hyperband (Li et al. 2018): gives many trials few epochs, and the best of them more."""


class BayesianOracle(Bookkeeping, oracles.BayesianOptimizationOracle):
    """Bayesian optimisation: asks a Gaussian process where the best values may be."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of the next trial, the same after an interruption."""
        # KerasTuner does not save its random state, so each trial has its own.
        self._random_state = np.random.RandomState([self.seed, int(trial_id)])
        self._fit_to_finished_trials()
        values: dict[str, Any] = super().populate_space(trial_id)
        return values

    def _fit_to_finished_trials(self) -> None:
        """Fit the Gaussian process to the finished trials before KerasTuner asks it for the values of running ones.

        Without a fit it answers 0. No ELBO comes near that, so all further trials would stay close to the running one.
        """
        finished = {name: trial for name, trial in self.trials.items() if trial.status == "COMPLETED"}
        if self.ongoing_trials and finished:
            trials, ongoing = self.trials, self.ongoing_trials
            self.trials, self.ongoing_trials = finished, {}
            self.gpr.fit(*self._vectorize_trials())
            self.trials, self.ongoing_trials = trials, ongoing


def make_oracle(settings: TuneSettings, *, state_path: Path) -> Bookkeeping:
    """Make the recipe's oracle, which looks for the largest validation ELBO.

    Args:
        settings: The recipe's.
        state_path: The file of the search's state.
    """
    section = settings.tune
    common = {
        "section": section,
        "state_path": state_path,
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": search_space(settings),
        "tune_new_entries": False,
        "allow_new_entries": True,  # hyperband adds its own
        "seed": settings.seed + 1,  # KerasTuner takes 0 for no seed
        "max_retries_per_trial": 0,
        "max_consecutive_failed_trials": section.max_trials + 1,  # a failed trial is a result; the search goes on
    }
    if section.oracle == "hyperband":
        oracle = HyperbandOracle(max_epochs=section.epochs, factor=HALVING, **common)
        oracle.max_trials = section.max_trials
        return oracle
    kinds = {"random": RandomOracle, "bayesian": BayesianOracle}
    return kinds[section.oracle](max_trials=section.max_trials, **common)
