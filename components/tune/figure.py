"""The figure of a search: every trial as a line through its values, the best value so far, and each key's importance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from components.reporting.numbers import as_setting, fixed, setting
from components.tune.importance import position
from schemas.recipe.search import Range

COLOURS = colormaps["viridis"]
WINNER, QUIET = "crimson", "0.7"
LABEL_LENGTH = 16  # most characters of a tick's label
WORST = 0.1  # this share of trials has the worst colour, so that one bad trial does not take all colours


def search_figure(
    trials: list[dict[str, Any]], *, space: dict[str, Any], best: str, shares: dict[str, float] | None
) -> Figure:
    """Draw parallel coordinates above the best value so far and each key's importance.

    Args:
        trials: Rows of `schemas.artifacts.tables.trials_schema`.
        space: The recipe's `tune.space`.
        best: The winning trial.
        shares: Importance by key, if it is known.
    """
    finished = [trial for trial in trials if trial["val_elbo"] is not None]
    figure = Figure(figsize=(max(9.0, 2.2 * (len(space) + 1)), 8.0), layout="constrained", dpi=120)
    subfigures: Any = figure.subfigures(2, 1, height_ratios=(5, 3))
    above, below = subfigures
    _parallel(above, finished, space=space, best=best)
    left, right = below.subplots(1, 2, width_ratios=(3, 2))
    _best_so_far(left, finished, count=max(int(trial["trial"]) for trial in trials))
    _importance(right, shares)
    return figure


def _parallel(figure: Any, finished: list[dict[str, Any]], *, space: dict[str, Any], best: str) -> None:
    axes = figure.subplots()
    elbo = np.array([trial["val_elbo"] for trial in finished])
    high = float(elbo.max())
    low = float(np.quantile(elbo, WORST))
    if high - low < 1e-2:  # one trial, or all alike
        low = high - 1.0
    norm = Normalize(low, high, clip=True)
    keys = list(space)
    places = {
        trial["trial"]: [
            *(position(trial[key], space[key]) for key in keys),
            float(norm(trial["val_elbo"])),
        ]
        for trial in finished
    }
    for trial in sorted(finished, key=lambda trial: (trial["trial"] == best, trial["val_elbo"])):
        won = trial["trial"] == best
        axes.add_patch(
            PathPatch(
                _smooth(_spread_equal_choices(places[trial["trial"]], trial, finished, keys, space)),
                facecolor="none",
                edgecolor=WINNER if won else COLOURS(norm(trial["val_elbo"])),
                linewidth=2.6 if won else 1.4,
                alpha=1.0 if won else 0.75,
                zorder=3 if won else 2,
            )
        )
    for column, key in enumerate(keys):
        _scale(axes, column, _ticks(space[key]))
    heights = [(place, fixed(low + place * (high - low), decimals=1)) for place in np.linspace(0, 1, 5)]
    if elbo.min() < low:
        heights[0] = (0.0, f"≤ {heights[0][1]}")
    _scale(axes, len(keys), heights)
    axes.set_xticks(range(len(keys) + 1), [*keys, "validation ELBO"], fontsize=10)
    axes.tick_params(axis="x", length=0, pad=10)
    axes.xaxis.tick_top()
    axes.set(xlim=(-0.25, len(keys) + 0.35), ylim=(-0.09, 1.09), yticks=[])
    axes.spines[:].set_visible(False)
    count = f"{len(finished)} finished trial{'s' if len(finished) > 1 else ''}"
    axes.set_title(f"{count}; the winner is red", loc="left", fontsize=11, pad=14)
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=axes, pad=0.02, aspect=30, extend="min")
    bar.set_label("validation ELBO, nats per image (higher is better)", fontsize=9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)


def _spread_equal_choices(
    places: list[float], trial: dict[str, Any], finished: list[dict[str, Any]], keys: list[str], space: dict[str, Any]
) -> list[float]:
    """Return a trial's places, apart from those of other trials with the same choice: the better the higher."""
    apart = list(places)
    for column, key in enumerate(keys):
        if isinstance(space[key], Range):
            continue
        same_choice = [other for other in finished if json.dumps(other[key]) == json.dumps(trial[key])]
        ranks = sorted(other["val_elbo"] for other in same_choice)
        width = min(0.1, 0.5 / len(space[key]))
        apart[column] += (
            width * (ranks.index(trial["val_elbo"]) / max(1, len(ranks) - 1) - 0.5) if len(same_choice) > 1 else 0.0
        )
    return apart


def _smooth(places: list[float]) -> Curve:
    """Return a line that crosses each scale horizontally."""
    points, codes = [(0.0, places[0])], [Curve.MOVETO]
    for column in range(len(places) - 1):
        start, end = places[column], places[column + 1]
        points += [(column + 0.4, start), (column + 0.6, end), (column + 1.0, end)]
        codes += [Curve.CURVE4] * 3
    return Curve(points, codes)


def _scale(axes: Axes, column: int, ticks: list[tuple[float, str]]) -> None:
    axes.plot([column, column], [0, 1], color="0.25", linewidth=1.0, zorder=4)
    for place, label in ticks:
        axes.plot([column - 0.012, column + 0.012], [place, place], color="0.25", linewidth=1.0, zorder=4)
        axes.text(
            column + 0.025,
            place,
            label,
            fontsize=8,
            verticalalignment="center",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )


def _ticks(values: Any) -> list[tuple[float, str]]:
    if not isinstance(values, Range):
        labels = [as_setting(value) for value in values]
        short = [label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 1]}…" for label in labels]
        return [(position(value, values), label) for value, label in zip(values, short, strict=True)]
    places = np.linspace(0, 1, 5)
    if values.log:
        return [(place, setting(values.low * (values.high / values.low) ** place, digits=2)) for place in places]
    return [(place, setting(values.low + place * (values.high - values.low), digits=3)) for place in places]


def _best_so_far(axes: Axes, finished: list[dict[str, Any]], *, count: int) -> None:
    """Draw the best value so far, by the trials' numbers, 1 to `count`.

    Trials that were ended early are hollow, because their value does not count. Those that failed are gaps.
    """
    longest = max(trial["epochs_run"] for trial in finished)
    numbers = np.array([int(trial["trial"]) for trial in finished])
    elbo = np.array([trial["val_elbo"] for trial in finished])
    longest_run = np.array([trial["epochs_run"] == longest for trial in finished])
    so_far = np.maximum.accumulate(np.where(longest_run, elbo, -np.inf))
    axes.scatter(numbers[longest_run], elbo[longest_run], s=22, color=QUIET, zorder=2, label="trial")
    if not longest_run.all():
        axes.scatter(
            numbers[~longest_run],
            elbo[~longest_run],
            s=22,
            facecolors="none",
            edgecolors=QUIET,
            zorder=2,
            label="with fewer epochs",
        )
    known = np.isfinite(so_far)
    axes.step(numbers[known], so_far[known], where="post", color=WINNER, linewidth=1.8, zorder=3, label="best so far")
    # One bad trial must not squeeze the others together.
    low, high = float(np.quantile(elbo, WORST)), float(elbo.max())
    if elbo.min() < low - 2 * (high - low) and high > low:
        axes.set_ylim(low - 0.5 * (high - low), high + 0.1 * (high - low))
    axes.set(xlabel="trial", ylabel="validation ELBO, nats", xlim=(0.5, count + 0.5))
    locator: Any = axes.xaxis.get_major_locator()
    locator.set_params(integer=True)
    axes.set_title("best so far", loc="left", fontsize=11)
    axes.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
    _plain(axes)


def _importance(axes: Axes, shares: dict[str, float] | None) -> None:
    axes.set_title("what mattered", loc="left", fontsize=11)
    if shares is None:
        axes.text(0.5, 0.5, "too few trials to say,\nor none of it predicts", ha="center", va="center", color="0.45")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return
    names = list(shares)[::-1]
    bars = axes.barh(names, [100 * shares[name] for name in names], color=COLOURS(0.45), height=0.6)
    axes.bar_label(bars, fmt="%.0f%%", padding=3, fontsize=8)
    axes.set(xlabel="share of what a random forest explains", xlim=(0, 112), xticks=[0, 25, 50, 75, 100])
    axes.tick_params(axis="y", length=0, labelsize=9)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(color="0.93", zorder=-1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
