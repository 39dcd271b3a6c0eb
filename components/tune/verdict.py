"""The verdict of a search: the winner, its lead, and whether more trials would likely help."""

from __future__ import annotations

from statistics import median
from typing import Any

from components.reporting.numbers import as_setting
from components.tune.importance import position
from schemas.recipe.search import Range

MIN_FINISHED = 6  # trials; with fewer, it says nothing about more of them
LITTLE = 0.1  # a gain is little up to this share of the winner's lead over the median
EDGE = 0.05  # the end of a range, as a share of it


def winner_of(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the trial with the largest ELBO among those that ran longest: fewer epochs cannot be compared with more."""
    finished = [trial for trial in trials if trial["val_elbo"] is not None]
    longest = max(trial["epochs_run"] for trial in finished)
    return max((trial for trial in finished if trial["epochs_run"] == longest), key=lambda trial: trial["val_elbo"])


def verdict(trials: list[dict[str, Any]], space: dict[str, Any]) -> str:
    """Return the verdict, one sentence.

    Args:
        trials: Rows of `schemas.artifacts.tables.trials_schema`, in the order of their start; at least one is finished.
        space: The recipe's `tune.space`.
    """
    best = winner_of(trials)
    values = ", ".join(f"{key} {as_setting(best[key])}" for key in space)
    sentence = f"trial {best['trial']} won with {values}: validation ELBO {best['val_elbo']:.2f} nats per image"
    # Compared with the trials that ran as long: what a trial that was ended early would have reached is not known.
    peers = [trial["val_elbo"] for trial in trials if _is_peer(trial, best)]
    if len(peers) > 1:
        second, middle = sorted(peers)[-2], median(peers)
        sentence += (
            f", {best['val_elbo'] - second:.2f} above the second and {best['val_elbo'] - middle:.2f} above the median"
        )
        sentence += f" of the {len(peers)} that ran as long"
    return f"{sentence}; {_expected_gain(trials, best, space)}"


def _expected_gain(trials: list[dict[str, Any]], best: dict[str, Any], space: dict[str, Any]) -> str:
    finished = [trial for trial in trials if trial["val_elbo"] is not None]
    if len(finished) < MIN_FINISHED:
        return f"finished trials: {len(finished)}, too few to say whether more would help"
    edges = [
        f"{key} at the {'upper' if place > 0.5 else 'lower'} end of what was tried"
        for key, values in space.items()
        if (place := position(best[key], values)) is not None
        and (isinstance(values, Range) or len(values) > 2)
        and not EDGE < place < 1 - EDGE
        and isinstance(best[key], int | float)
    ]
    if edges:
        return f"a wider search would likely help: the winner has {' and '.join(edges)}"
    peers = [trial for trial in trials if _is_peer(trial, best)]
    first_half = [trial["val_elbo"] for trial in peers if trials.index(trial) < len(trials) // 2]
    lead = best["val_elbo"] - median(trial["val_elbo"] for trial in finished)
    gain = best["val_elbo"] - max(first_half, default=-float("inf"))
    if gain > LITTLE * lead:
        gained = "the winner" if not first_half else f"{gain:.2f} nats"
        return f"more of it would likely help: its second half brought {gained}"
    return f"more of it would likely bring little: its second half brought {gain:.2f} nats"


def _is_peer(trial: dict[str, Any], best: dict[str, Any]) -> bool:
    return trial["val_elbo"] is not None and trial["epochs_run"] == best["epochs_run"]
