"""Ranks one figure of several runs: which can be compared, which is best, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from components.reporting.numbers import significant, with_error
from pipeline.tools.compare.runs import Run

Mark = Literal["best", "first", "level", "behind", "after", "same", ""]
Condition = tuple[str, Callable[[Run], Any]]  # what has to be the same, and its value in a run

ERRORS = 2.0  # standard errors of a difference, within which two values are level
_READABLE = 16  # characters that a person wants to read; a digest has more


@dataclass(frozen=True)
class Cell:
    """A figure of one run.

    Attributes:
        value: The figure; None: it was not measured.
        error: Its standard error; None: unknown.
        missing: Why it was not measured, as a clause; "": no reason is recorded.
        mark: How it ranks among the values that it can be compared with. best: better than all others by more than the
            uncertainty. first: better, but that may be chance, or the uncertainty is unknown. level: within the uncertainty of
            the first one. behind: by more than that. after: behind, uncertainty unknown. same: as all.
    """

    value: float | None = None
    error: float | None = None
    missing: str = ""
    mark: Mark = ""

    @property
    def number(self) -> str:
        """The value; where its error is known, to the error's second digit."""
        return "–" if self.value is None else with_error(self.value, self.error)[0]

    @property
    def spread(self) -> str:
        """The error to two digits; "" where it is unknown."""
        return "" if self.value is None else with_error(self.value, self.error)[1]


@dataclass(frozen=True)
class Verdict:
    """The meaning of a row.

    Attributes:
        cells: With their marks.
        ranking: Which run is best and by how much, in sentences.
        caveat: What cannot be compared or was not measured, and why, in sentences.
        differences: Conditions that differ, so that values cannot be compared.
    """

    cells: list[Cell]
    ranking: str = ""
    caveat: str = ""
    differences: tuple[str, ...] = ()


def listed(names: Sequence[str]) -> str:
    """Join names as in a sentence: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def judge(runs: Sequence[Run], cells: Sequence[Cell], *, better: str, conditions: Sequence[Condition]) -> Verdict:
    """Mark the cells of a row, and say what they mean.

    Two values are level where they differ by at most `ERRORS` standard errors of their difference. The errors are taken as
    those of two independent means; for the same images that is cautious.

    Args:
        runs: One for each cell.
        cells: Without marks.
        better: higher, lower; "": neither is.
        conditions: What has to be the same for two values to be compared.
    """
    measured = [place for place, cell in enumerate(cells) if cell.value is not None]
    missing = _missing(runs, cells)
    if len(measured) < 2:
        return Verdict(list(cells), caveat=missing)
    comparable: dict[tuple[Any, ...], list[int]] = {}
    for place in measured:
        comparable.setdefault(tuple(value_of(runs[place]) for _, value_of in conditions), []).append(place)
    marked, sentences = list(cells), []
    for places in comparable.values():
        if len(places) < 2:
            continue
        names = [runs[place].name for place in places]
        marks, ranking = _rank([cells[place] for place in places], names, better)
        for place, mark in zip(places, marks, strict=True):
            marked[place] = replace(marked[place], mark=mark)
        sentences.append(ranking if len(comparable) == 1 else f"Of {listed(names)}: {_within_sentence(ranking)}")
    if len(comparable) == 1:
        return Verdict(marked, " ".join(sentences), missing)
    differences = tuple(
        _difference(condition, values)
        for condition, values in (
            (condition, [value_of(runs[place]) for place in measured]) for condition, value_of in conditions
        )
        if len(set(values)) > 1
    )
    alone = [runs[places[0]].name for places in comparable.values() if len(places) == 1]
    subject = f"{listed(alone)} cannot be compared with the others" if sentences and alone else "Cannot be compared"
    caveat = f"{subject}: other {', other '.join(differences)}."
    return Verdict(marked, " ".join(sentences), " ".join(filter(None, [caveat, missing])), differences)


def _within_sentence(ranking: str) -> str:
    """Return a ranking's sentence with a small first letter, unless it begins with a run's name."""
    begins_with_word = ranking.startswith(("They ", "The ", "No "))
    return ranking[0].lower() + ranking[1:] if begins_with_word else ranking


def _difference(condition: str, values: Sequence[Any]) -> str:
    """Name a condition that differs, with its values where a person can read them."""
    texts = list(dict.fromkeys(f"{value:,}" if isinstance(value, int) else str(value) for value in values))
    readable = all(isinstance(value, str | int) and 0 < len(str(value)) <= _READABLE for value in values)
    return f"{condition} ({', '.join(texts)})" if readable else condition


def _missing(runs: Sequence[Run], cells: Sequence[Cell]) -> str:
    """Return what was not measured, and why, in sentences."""
    without_reason = [
        run.name for run, cell in zip(runs, cells, strict=True) if cell.value is None and not cell.missing
    ]
    sentences = [f"Not measured for {listed(without_reason)}."] if without_reason else []
    sentences += [
        f"Not measured for {run.name}: {cell.missing}."
        for run, cell in zip(runs, cells, strict=True)
        if cell.value is None and cell.missing
    ]
    return " ".join(sentences)


def _rank(cells: Sequence[Cell], names: Sequence[str], better: str) -> tuple[list[Mark], str]:
    """Return a mark for each of some cells that can be compared, and what they mean."""
    values = [cell.value for cell in cells if cell.value is not None]
    if min(values) == max(values):
        return ["same" for _ in cells], "The same."
    best = min(values) if better == "lower" else max(values)
    first = cells[values.index(best)]
    if not better:
        spread = max(values) - min(values)
        limit = uncertainty(first, cells[values.index(min(values))])
        up_to = "up to " if len(cells) > 2 else ""
        difference = f"{up_to}{significant(spread, digits=3)}{_against_limit(spread, limit)}"
        return ["" for _ in cells], f"They differ by {difference}."
    marks: list[Mark] = [_mark(cell, first, best) for cell in cells]
    if any(mark in ("level", "after") for mark in marks):
        marks = ["first" if mark == "best" else mark for mark in marks]
    # The runner-up is the nearest one: of those that are level, if any; else of those whose uncertainty is unknown.
    other_places = [place for place in range(len(cells)) if values[place] != best]
    ranks = {"level": 0, "after": 1, "behind": 2}
    second = min(other_places, key=lambda place: (ranks[marks[place]], abs(values[place] - best)))
    gap, limit = abs(values[second] - best), uncertainty(first, cells[second])
    leaders = [name for name, value in zip(names, values, strict=True) if value == best]
    subject = listed(leaders) + (" is" if len(leaders) == 1 else " are")
    ahead = f"ahead of {names[second]} by {significant(gap, digits=3)}{_against_limit(gap, limit)}"
    if marks[second] == "level":
        return marks, f"No clear best: {subject} {ahead}."
    return marks, f"{subject} {'best' if marks[second] == 'behind' else 'first'}, {ahead}."


def _mark(cell: Cell, first: Cell, best: float) -> Mark:
    assert cell.value is not None
    if cell.value == best:
        return "best"
    limit = uncertainty(first, cell)
    if limit is None:
        return "after"
    return "behind" if abs(cell.value - best) > limit else "level"


def uncertainty(one: Cell, other: Cell) -> float | None:
    """Return how much two values may differ by chance; None: unknown."""
    if one.error is None or other.error is None:
        return None
    return ERRORS * math.hypot(one.error, other.error)


def _against_limit(gap: float, limit: float | None) -> str:
    if limit is None:
        return ", whose uncertainty is not known"
    return f", {'more' if gap > limit else 'no more'} than its uncertainty of {significant(limit, digits=2)}"
