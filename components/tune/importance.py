"""How much each searched key mattered, by a random forest: Hutter et al. 2014 ask one, too, by shares of its variance.

A forest learns the validation ELBO from the values; a key's importance is how much worse the forest gets when the key's
values are shuffled among the trials (permutation importance, Breiman 2001). It says what mattered in *these* trials, within
*these* ranges. With few trials it is noise: so there have to be some, and the forest has to predict trials that it has not
seen (those out of its bags) better than their mean does.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from schemas.recipe.search import Range

ENOUGH = 10  # finished trials
TREES = 300
SHUFFLES = 20


def importance(trials: list[dict[str, Any]], space: dict[str, Any]) -> dict[str, float] | None:
    """Each key's share of what the keys explain, largest first; they add up to 1. None where it cannot be said.

    Args:
        trials: Rows of `schemas.artifacts.tables.trials`.
        space: The recipe's `tune.space`.
    """
    done = [trial for trial in trials if trial["val_elbo"] is not None]
    elbo = np.array([trial["val_elbo"] for trial in done])
    keys = [key for key in space if len({json.dumps(trial[key]) for trial in done}) > 1]
    if len(done) < ENOUGH or not keys or np.ptp(elbo) == 0:
        return None
    columns = [[position(trial[key], space[key]) for trial in done] for key in keys]
    # How long a trial ran explains a part of its value, which is no key's merit.
    columns.append([float(trial["epochs_run"]) for trial in done])
    table = np.array(columns).T
    forest = RandomForestRegressor(TREES, oob_score=True, min_samples_leaf=2, random_state=0).fit(table, elbo)
    if forest.oob_score_ <= 0:
        return None
    found = permutation_importance(forest, table, elbo, n_repeats=SHUFFLES, random_state=0).importances_mean[:-1]
    found = np.maximum(found, 0.0)
    if found.sum() == 0:
        return None
    shares = dict(zip(keys, (found / found.sum()).tolist(), strict=True))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def position(value: Any, values: Any) -> float:
    """Where a value lies in its range or list: 0 at the beginning, 1 at the end."""
    if isinstance(values, Range):
        low, high, here = values.low, values.high, float(value)
        if values.log:
            low, high, here = np.log(low), np.log(high), np.log(here)
        return float((here - low) / (high - low))
    listed = [as_listed(one) for one in values]
    return listed.index(as_listed(value)) / max(1, len(listed) - 1)


def as_listed(value: Any) -> str:
    """A value so that it can be compared, however it was written: 1e-3 in YAML is text, and a table holds lists as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return json.dumps(float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value)
