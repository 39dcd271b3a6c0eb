"""Positions of lines, ticks and labels of curves over epochs, which the template draws as inline SVG.

Positions are percentages of the plot's area, from the left and from the top, so that a chart takes any width while its text
keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from components.evaluate.report.search import Search
from components.reporting.numbers import as_loss, as_setting, fixed

PLACES = 1000  # of a polyline, from the left and from the top
LABEL_GAP = 9.0  # per cent between the labels of two curves
ROOM = 0.06  # of a panel's range, above and below the curves
MOST_OTHERS = 60  # faint lines of a search

Value = float | None


@dataclass(frozen=True)
class Series:
    """One curve: a value per epoch, None where there is none.

    Attributes:
        name: Its name; a curve named "" is drawn faintly.
        kind: The style: training, validation, only or other.
    """

    name: str
    kind: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: Name of the quantity.
        unit: Of its values.
        series: Its curves, at least one.
        log: Whether the scale is logarithmic.
        wide: Whether it takes the page's width.
        text: Returns a value as text.
        missing: The text of a value that is not drawn.
    """

    title: str
    unit: str
    series: tuple[Series, ...]
    log: bool = False
    wide: bool = False
    text: Callable[[float], str] = as_loss
    missing: str = "–"

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value that fit, on the panel's scale."""
        values = [self._scaled(value) for series in self.series for value in series.values if value is not None]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        room = ROOM * (high - low) or ROOM * abs(high) or 1.0
        return low - room, high + room

    def place(self, value: float) -> float:
        """Return a value's position, in per cent from the top."""
        low, high = self.range
        return round(100 * (high - self._scaled(value)) / (high - low), 3)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Positions and numbers of the horizontal lines."""
        low, high = self.range
        if self.log:
            return [(self.place(value), self.text(value)) for value in _powers(10**low, 10**high)]
        step = _step(high - low, most=5)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first_step = math.ceil(low / step - 1e-9)
        values = [step * i for i in range(first_step, math.floor(high / step + 1e-9) + 1)]
        return [(self.place(value), fixed(value, decimals=decimals)) for value in values]

    def lines(self, series: Series) -> list[str]:
        """Return a curve's polylines: several where values are missing."""
        polylines: list[list[str]] = [[]]
        for index, value in enumerate(series.values):
            if value is None:
                polylines.append([])
            else:
                x, y = (
                    f"{share * PLACES / 100:.2f}" for share in (across(index, len(series.values)), self.place(value))
                )
                polylines[-1].append(f"{x},{y}")
        return [" ".join(points) for points in polylines if points]

    def printed_value(self, value: Value) -> str:
        """Return a value as text."""
        return self.missing if value is None else self.text(value)

    def places(self, series: Series) -> str:
        """Return the position of each epoch's value, "-" where there is none: the script moves dots by it."""
        return " ".join("-" if value is None else f"{self.place(value):g}" for value in series.values)

    def place_at(self, series: Series, index: int) -> float | None:
        """Return the position of an epoch's dot; None where the epoch has no value."""
        value = series.values[index]
        return None if value is None else self.place(value)

    def printed(self, series: Series) -> str:
        """Return a curve's values as text, for the script."""
        return "|".join(self.printed_value(value) for value in series.values)

    @property
    def labels(self) -> list[tuple[float, str, str]]:
        """Positions of the curves' names at their ends, far enough apart to be read; names, and kinds."""
        ends = [
            (self.place(last), series.name, series.kind)
            for series in self.series
            if series.name and (last := _last(series.values)) is not None
        ]
        placed: list[tuple[float, str, str]] = []
        for place, name, kind in sorted(ends):
            placed.append((max(place, placed[-1][0] + LABEL_GAP) if placed else place, name, kind))
        beyond = max(0.0, placed[-1][0] - 100) if placed else 0.0
        return [(round(place - beyond, 3), name, kind) for place, name, kind in placed]

    def description(self, epochs: Sequence[int]) -> str:
        """Return the chart in words, for a screen reader."""
        named = [series for series in self.series if series.name]
        runs = [
            f"{series.name} from {self.printed_value(series.values[0])} to {self.printed_value(_last(series.values))}"
            for series in named
            if _last(series.values) is not None
        ]
        span = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
        return f"{self.title} over {span}, {self.unit}: {'; '.join(runs) or 'no value is a number'}."

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


@dataclass(frozen=True)
class Curves:
    """Charts over the same epochs, with one readout and one table.

    Attributes:
        name: Unique on the page.
        title: Their common title.
        epochs: Numbers of the epochs.
        panels: The charts.
        marked: Index of the marked epoch; None: none is.
        mark: Why it is marked.
    """

    name: str
    title: str
    epochs: tuple[int, ...]
    panels: tuple[Panel, ...]
    marked: int | None = None
    mark: str = ""

    @property
    def ticks(self) -> list[tuple[float, int]]:
        """Positions and numbers of the epochs below each panel."""
        step = max(1, math.ceil(_step(len(self.epochs), most=6)))
        indices = [index for index, epoch in enumerate(self.epochs) if epoch % step == 0 or index == 0]
        return [(across(index, len(self.epochs)), self.epochs[index]) for index in indices]

    def place(self, index: int) -> float:
        """Return an epoch's position, in per cent from the left."""
        return across(index, len(self.epochs))

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Kinds of curves and their names, once each."""
        names = {series.kind: series.name for _, series in self._named if series.kind != "only"}
        others = (
            [("other", "every other trial")] if any(not s.name for panel in self.panels for s in panel.series) else []
        )
        return [*names.items(), *others]

    @property
    def start(self) -> int:
        """Index of the epoch that the readout shows first."""
        return len(self.epochs) - 1 if self.marked is None else self.marked

    def readout(self, index: int) -> str:
        """Return the values of an epoch in a line; the script writes the same line for others."""
        mark = f" ({self.mark})" if index == self.marked else ""
        parts = [
            f"{panel.title}: "
            + ", ".join(
                f"{series.name} {panel.printed_value(series.values[index])}" for series in panel.series if series.name
            )
            for panel in self.panels
        ]
        return f"Epoch {self.epochs[index]:,}{mark} – {'; '.join(parts)}"

    @property
    def heads(self) -> list[str]:
        """The table's columns after the epoch: the curves that have names."""
        return [f"{panel.title}, {series.name}" for panel, series in self._named]

    @property
    def rows(self) -> list[list[str]]:
        """The table's rows, one for each epoch."""
        return [
            [panel.printed_value(series.values[index]) for panel, series in self._named]
            for index in range(len(self.epochs))
        ]

    @property
    def _named(self) -> list[tuple[Panel, Series]]:
        return [(panel, series) for panel in self.panels for series in panel.series if series.name]


def training(history: pa.Table, *, unit: str) -> Curves:
    """Return the curves of a training.

    Args:
        history: `schemas.artifacts.tables.HISTORY`, a row per epoch, at least one.
        unit: Of total and reconstruction; the KL is in nats.
    """
    columns = {name: tuple(finite(value) for value in history[name].to_pylist()) for name in history.column_names}

    def both(name: str) -> tuple[Series, ...]:
        return Series("training", "training", columns[name]), Series("validation", "validation", columns[f"val_{name}"])

    lowest = min(filter(None, columns["val_loss"]), key=abs, default=None)
    text = partial(as_loss, of=lowest)
    panels = [
        Panel("Loss", unit, both("loss"), wide=True, text=text),
        Panel("Reconstruction", unit, both("reconstruction"), text=text),
    ]
    if any(columns["kl"]) or any(columns["val_kl"]):
        panels.append(Panel("KL divergence", "nats per image", both("kl"), text=text))
    rates = columns["learning_rate"]
    if len(set(rates)) > 1:  # a constant rate needs no chart
        positive = tuple(rate if rate is not None and rate > 0 else None for rate in rates)
        rate = Series("rate", "only", positive)
        panels.append(Panel("Learning rate", "logarithmic", (rate,), log=True, text=as_setting, missing="0"))
    epochs = tuple(int(epoch) for epoch in history["epoch"].to_pylist())
    losses = [math.inf if loss is None else loss for loss in columns["val_loss"]]
    marked = losses.index(min(losses)) if min(losses) < math.inf else None
    return Curves("training", "Training curves", epochs, tuple(panels), marked, "the best, whose weights were kept")


def searching(search: Search) -> Curves | None:
    """Return the curves of a search: the winner, the best of the others at each epoch, and faintly each of these."""
    values_of = {str(trial["trial"]): tuple(map(finite, trial["val_elbo_by_epoch"] or ())) for trial in search.trials}
    count = max(map(len, values_of.values()), default=0)
    if not count:
        return None
    padded = {name: (*values, *[None] * (count - len(values))) for name, values in values_of.items()}
    winner = padded.pop(search.winner, (None,) * count)
    others = list(padded.values())
    best = tuple(
        max((value for value in column if value is not None), default=None) for column in zip(*others, strict=True)
    )
    faint = tuple(Series("", "other", values) for values in others[:MOST_OTHERS])
    named = [
        Series("winner", "validation", winner),
        *([Series("best other", "training", best)] if any(value is not None for value in best) else []),
    ]
    panel = Panel("Validation ELBO", "nats per image, higher is better", (*faint, *named), wide=True)
    return Curves("search", "Search curves", tuple(range(1, count + 1)), (panel,))


def trials_table(search: Search) -> tuple[list[str], list[tuple[bool, list[str]]]]:
    """Return headings, and rows with whether they are the winner's: trials from the best to those that failed."""
    keys = search.keys
    ordered = sorted(search.trials, key=lambda trial: (trial["val_elbo"] is None, -(trial["val_elbo"] or 0.0)))
    rows = [
        (
            str(trial["trial"]) == search.winner,
            [
                str(trial["trial"]),
                *(as_setting(trial[key]) for key in keys),
                f"{trial['epochs_run']:,}",
                "–" if (elbo := finite(trial["val_elbo"])) is None else as_loss(elbo),
            ],
        )
        for trial in ordered
    ]
    return ["Trial", *keys, "Epochs", "Validation ELBO"], rows


def across(index: int, count: int) -> float:
    """Return an index's position, in per cent from the left; a single epoch stands in the middle."""
    return round(100 * index / (count - 1), 3) if count > 1 else 50.0


def finite(value: Any) -> Value:
    """Return a finite number, or None."""
    return float(value) if value is not None and math.isfinite(value) else None


def _last(values: Sequence[Value]) -> Value:
    return next((value for value in reversed(values) if value is not None), None)


def _step(length: float, *, most: int) -> float:
    """Return a step of 1, 2 or 5 times a power of ten; at most `most` such steps fit into a length."""
    rough = length / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough - 1e-12)


def _powers(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic scale: powers of ten, or 1, 2 and 5 times these where there are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**exponent for exponent in exponents if low <= 10.0**exponent <= high]
    if len(powers) > 2:
        return powers[:: math.ceil(len(powers) / 5)]
    return [
        factor * 10.0**exponent
        for exponent in exponents
        for factor in (1, 2, 5)
        if low <= factor * 10.0**exponent <= high
    ]
