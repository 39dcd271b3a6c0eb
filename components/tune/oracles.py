"""KerasTuner's search algorithms, with our bookkeeping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner import oracles

from components.tune.bookkeeping import OBJECTIVE, Bookkeeping
from components.tune.space import search_space
from schemas.recipe.settings import TuneSettings

# Of a bracket's trials, one in so many goes on. KerasTuner's own is 3: with trials as short as ours, whose first epochs say
# little of the last, it ended what would have won.
HALVING = 2


class RandomOracle(Bookkeeping, oracles.RandomSearchOracle):
    """Draws each trial's values on their own."""


class HyperbandOracle(Bookkeeping, oracles.HyperbandOracle):
    """Gives many trials few epochs, and the best of them more. Li et al. 2018, "Hyperband"."""


class BayesianOracle(Bookkeeping, oracles.BayesianOptimizationOracle):
    """Asks a Gaussian process where the best may be."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial, whether or not the search was interrupted before it."""
        self._random_state = np.random.RandomState([self.seed, int(trial_id)])  # KerasTuner forgets where it stood
        self._fit_to_finished_trials()
        return super().populate_space(trial_id)

    def _fit_to_finished_trials(self) -> None:
        """KerasTuner asks the process for the value of running trials, also before it has ever been fitted.

        It then answers 0, which no ELBO comes near, and everything is tried beside the trial that runs.
        """
        done = {name: trial for name, trial in self.trials.items() if trial.status == "COMPLETED"}
        if self.ongoing_trials and done:
            every, running = self.trials, self.ongoing_trials
            self.trials, self.ongoing_trials = done, {}
            self.gpr.fit(*self._vectorize_trials())
            self.trials, self.ongoing_trials = every, running


def make_oracle(settings: TuneSettings, *, state_path: Path) -> Bookkeeping:
    """The oracle that the recipe names, for the largest validation ELBO.

    Args:
        settings: The recipe's.
        state_path: Of the file in which it keeps where the search stands.
    """
    section = settings.tune
    common = {
        "section": section,
        "state_path": state_path,
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": search_space(settings),
        "tune_new_entries": False,
        "allow_new_entries": True,  # hyperband adds its own
        "seed": settings.seed + 1,  # KerasTuner takes 0 for none, and draws a seed of its own
        "max_retries_per_trial": 0,
        "max_consecutive_failed_trials": section.max_trials + 1,  # a failed trial is a result; the search goes on
    }
    if section.oracle == "hyperband":
        oracle = HyperbandOracle(max_epochs=section.epochs, factor=HALVING, **common)
        oracle.max_trials = section.max_trials
        return oracle
    kinds = {"random": RandomOracle, "bayesian": BayesianOracle}
    return kinds[section.oracle](max_trials=section.max_trials, **common)
