"""The importance of each searched key, by a random forest (Hutter et al. 2014 use one, too, by shares of its variance).

A forest learns the validation ELBO from the values. A key's importance is how much worse the forest gets when the key's
values are shuffled among the trials (permutation importance, Breiman 2001). It holds for these trials and these ranges.
With few trials it is noise. So there must be some, and the forest must predict trials that it has not seen (those out of
its bags) better than their mean does.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from schemas.recipe.search import Range

MIN_FINISHED = 10  # trials
TREES = 300
SHUFFLES = 20


def importance(trials: list[dict[str, Any]], space: dict[str, Any]) -> dict[str, float] | None:
    """Return each key's share of what the keys explain, largest first, with the sum 1; None if it is unknown.

    Args:
        trials: Rows of `schemas.artifacts.tables.trials_schema`.
        space: The recipe's `tune.space`.
    """
    finished = [trial for trial in trials if trial["val_elbo"] is not None]
    elbo = np.array([trial["val_elbo"] for trial in finished])
    keys = [key for key in space if len({json.dumps(trial[key]) for trial in finished}) > 1]
    if len(finished) < MIN_FINISHED or not keys or np.ptp(elbo) == 0:
        return None
    columns = [[position(trial[key], space[key]) for trial in finished] for key in keys]
    # A trial's number of epochs explains a part of its value. No key gets that part.
    columns.append([float(trial["epochs_run"]) for trial in finished])
    table = np.array(columns).T
    forest = RandomForestRegressor(TREES, oob_score=True, min_samples_leaf=2, random_state=0).fit(table, elbo)
    if forest.oob_score_ <= 0:
        return None
    losses = permutation_importance(forest, table, elbo, n_repeats=SHUFFLES, random_state=0).importances_mean[:-1]
    losses = np.maximum(losses, 0.0)
    if losses.sum() == 0:
        return None
    shares = dict(zip(keys, (losses / losses.sum()).tolist(), strict=True))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def position(value: Any, values: Any) -> float:
    """Return where a value lies in its range or list: 0 at the beginning, 1 at the end."""
    if isinstance(values, Range):
        low, high, here = values.low, values.high, float(value)
        if values.log:
            low, high, here = np.log(low), np.log(high), np.log(here)
        return float((here - low) / (high - low))
    choices = [as_choice(choice) for choice in values]
    return choices.index(as_choice(value)) / max(1, len(choices) - 1)


def as_choice(value: Any) -> str:
    """Return a value as text that can be compared: YAML reads 1e-3 as text, and a table holds lists as text."""
    if isinstance(value, str):
        text = value
        try:
            value = json.loads(text)
        except ValueError:
            return text
    return json.dumps(float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value)
