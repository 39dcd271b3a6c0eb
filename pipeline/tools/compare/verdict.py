"""One figure of several runs: which of them can be compared, which is best, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.tools.compare.runs import Run

Mark = Literal["best", "first", "level", "behind", "after", "same", ""]
Condition = tuple[str, Callable[[Run], Any]]  # what has to be the same, and what it is in a run

ERRORS = 2.0  # standard errors of a difference, within which two values are level
SIX = 6  # digits that metrics.json has
_READABLE = 16  # characters that a person wants to read: no digest


@dataclass(frozen=True)
class Cell:
    """A figure of one run.

    Attributes:
        value: Itself; None: it was not measured.
        error: Its standard error; None: nobody knows it.
        why: Why it was not measured, as a clause; "": nobody says.
        mark: How it stands among those that it can be compared with. best: better than all others by more than the
            uncertainty. first: better, but that may be chance, or nobody knows. level: within the uncertainty of the first one.
            behind: by more than that. after: nobody knows the uncertainty. same: as all.
    """

    value: float | None = None
    error: float | None = None
    why: str = ""
    mark: Mark = ""

    @property
    def number(self) -> str:
        """The value; where its error is known, to the error's second digit."""
        if self.value is None:
            return "–"
        if isinstance(self.value, int):
            return number(self.value, decimals=0)
        if self.value == 0:
            return "0"
        known = decimals(self.error, digits=2) if self.error else decimals(self.value, digits=3)
        return number(self.value, decimals=min(known, decimals(self.value, digits=SIX)))

    @property
    def spread(self) -> str:
        """The error to two digits; "" where it is not known."""
        return "" if self.value is None or self.error is None else short(self.error)


@dataclass(frozen=True)
class Verdict:
    """What a row means.

    Attributes:
        cells: With their marks.
        says: Who is best and by how much, in sentences.
        but: What cannot be compared or was not measured, and why, in sentences.
        other: What differs where values cannot be compared.
    """

    cells: list[Cell]
    says: str = ""
    but: str = ""
    other: tuple[str, ...] = ()


def number(value: float, *, decimals: int) -> str:
    """A number as it is printed: with a true minus and a comma between thousands."""
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def decimals(value: float, *, digits: int) -> int:
    """Places after the point, at most eight, that show so many digits of a value."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return min(8, max(0, digits - 1 - magnitude))


def short(value: float, *, digits: int = 2) -> str:
    """A difference or an error, to so many digits."""
    return number(value, decimals=decimals(value, digits=digits))


def listed(names: Sequence[str]) -> str:
    """Names as they stand in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def judge(runs: Sequence[Run], cells: Sequence[Cell], *, better: str, conditions: Sequence[Condition]) -> Verdict:
    """Marks the cells of a row, and says what they mean.

    Two values are level where they differ by at most `ERRORS` standard errors of their difference, which are taken as those of
    two independent means; of the same images that is cautious.

    Args:
        runs: One for each cell.
        cells: Without marks.
        better: higher, lower; "": neither is.
        conditions: What has to be the same where two values are to be compared.
    """
    there = [place for place, cell in enumerate(cells) if cell.value is not None]
    if len(there) < 2:
        return Verdict(list(cells), but=_missing(runs, cells))
    classes: dict[tuple[Any, ...], list[int]] = {}
    for place in there:
        classes.setdefault(tuple(same(runs[place]) for _, same in conditions), []).append(place)
    other = [
        _told(what, values)
        for what, values in ((what, [same(runs[place]) for place in there]) for what, same in conditions)
        if len(set(values)) > 1
    ]
    found, sentences, but = list(cells), [], [_missing(runs, cells)]
    for places in classes.values():
        if len(places) > 1:
            marks, said = _ranked([cells[place] for place in places], [runs[place].name for place in places], better)
            for place, mark in zip(places, marks, strict=True):
                found[place] = replace(found[place], mark=mark)
            if len(classes) > 1:
                for word in ("They", "The", "No"):  # and no name of a run
                    said = said.replace(f"{word} ", f"{word.lower()} ", 1) if said.startswith(f"{word} ") else said
                said = f"Of {listed([runs[place].name for place in places])}: {said}"
            sentences.append(said)
    if len(classes) > 1:
        alone = [runs[places[0]].name for places in classes.values() if len(places) == 1]
        whom = f"{listed(alone)} cannot be compared with the others" if sentences and alone else "Cannot be compared"
        but.insert(0, f"{whom}: other {', other '.join(other)}.")
    return Verdict(found, " ".join(sentences), " ".join(filter(None, but)), tuple(other))


def _told(what: str, values: Sequence[Any]) -> str:
    """What differs, and where a person can read that, how."""
    known = list(dict.fromkeys(f"{value:,}" if isinstance(value, int) else str(value) for value in values))
    readable = all(isinstance(value, str | int) and 0 < len(str(value)) <= _READABLE for value in values)
    return f"{what} ({', '.join(known)})" if readable else what


def _missing(runs: Sequence[Run], cells: Sequence[Cell]) -> str:
    """What was not measured, and why."""
    silent = [run.name for run, cell in zip(runs, cells, strict=True) if cell.value is None and not cell.why]
    said = [
        f"Not measured for {run.name}: {cell.why}."
        for run, cell in zip(runs, cells, strict=True)
        if cell.value is None and cell.why
    ]
    return " ".join([*([f"Not measured for {listed(silent)}."] if silent else []), *said])


def _ranked(cells: Sequence[Cell], names: Sequence[str], better: str) -> tuple[list[Mark], str]:
    """A mark for each of some cells that can be compared, and what they mean."""
    values = [cell.value for cell in cells if cell.value is not None]
    top = min(values) if better == "lower" else max(values)
    if min(values) == max(values):
        return ["same" for _ in cells], "The same."
    first = values.index(top)
    marks: list[Mark] = []
    for cell, value in zip(cells, values, strict=True):
        limit = uncertainty(cells[first], cell)
        if value == top:
            marks.append("best")
        elif limit is None:
            marks.append("after")
        else:
            marks.append("behind" if abs(value - top) > limit else "level")
    if any(mark in ("level", "after") for mark in marks):
        marks = ["first" if mark == "best" else mark for mark in marks]
    if not better:
        spread = max(values) - min(values)
        limit = uncertainty(cells[first], cells[values.index(min(values))])
        said = f"They differ by {'up to ' if len(cells) > 2 else ''}{short(spread, digits=3)}"
        return ["" for _ in cells], f"{said}{_beside(spread, limit)}."
    # The one that is nearest; and if somebody is level, or nobody knows, of those.
    places = [place for place in range(len(cells)) if values[place] != top]
    ranks = {"level": 0, "after": 1, "behind": 2}
    second = min(places, key=lambda place: (ranks[marks[place]], abs(values[place] - top)))
    gap, limit = abs(values[second] - top), uncertainty(cells[first], cells[second])
    leaders = [name for name, value in zip(names, values, strict=True) if value == top]
    head = listed(leaders) + (" is" if len(leaders) == 1 else " are")
    ahead = f"ahead of {names[second]} by {short(gap, digits=3)}{_beside(gap, limit)}"
    if marks[second] == "level":
        return marks, f"No clear best: {head} {ahead}."
    return marks, f"{head} {'best' if marks[second] == 'behind' else 'first'}, {ahead}."


def uncertainty(one: Cell, other: Cell) -> float | None:
    """How much two values may differ by chance; None: nobody knows."""
    if one.error is None or other.error is None:
        return None
    return ERRORS * math.hypot(one.error, other.error)


def _beside(gap: float, limit: float | None) -> str:
    if limit is None:
        return ", whose uncertainty is not known"
    return f", {'more' if gap > limit else 'no more'} than its uncertainty of {short(limit)}"
