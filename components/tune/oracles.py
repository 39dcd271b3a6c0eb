"""KerasTuner's oracles and the space that they search."""

from __future__ import annotations

from typing import Any

import keras_tuner
import numpy as np
from keras_tuner import oracles

from schemas.recipe import TuneSection

OBJECTIVE = "val_elbo"
LATENT_DIM = "model.latent_dim"
LEARNING_RATE = "train.learning_rate"


def search_space(settings: TuneSection) -> keras_tuner.HyperParameters:
    """The recipe's ranges; hyperparameters are named by recipe key."""
    space = keras_tuner.HyperParameters()
    space.Choice(LATENT_DIM, list(settings.latent_dim), ordered=True)
    low, high = settings.learning_rate
    if low < high:
        space.Float(LEARNING_RATE, low, high, sampling="log")
    else:
        space.Fixed(LEARNING_RATE, low)
    return space


def make_oracle(settings: TuneSection, *, seed: int) -> keras_tuner.Oracle:
    """The oracle that the recipe names, for the largest validation ELBO."""
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": search_space(settings),
        "tune_new_entries": False,
        "allow_new_entries": True,  # hyperband adds its own
        "seed": seed + 1,  # KerasTuner takes 0 for none, and draws a seed of its own
        "max_retries_per_trial": 0,
        "max_consecutive_failed_trials": settings.max_trials + 1,  # a failed trial is a result; the search goes on
    }
    if settings.oracle == "hyperband":
        oracle = oracles.HyperbandOracle(max_epochs=settings.epochs, **common)
        oracle.max_trials = settings.max_trials
        return oracle
    kinds = {"random": oracles.RandomSearchOracle, "bayesian": ResumableBayesianOracle}
    return kinds[settings.oracle](max_trials=settings.max_trials, **common)


class ResumableBayesianOracle(oracles.BayesianOptimizationOracle):
    """KerasTuner's, but what it proposes next does not depend on whether the search was interrupted.

    KerasTuner reads trials back in the order of a folder listing, and forgets the state of its random numbers.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial."""
        self.trials = {started: self.trials[started] for started in self.start_order}
        self._random_state = np.random.RandomState([self.seed, int(trial_id)])
        return super().populate_space(trial_id)
