"""Checks the gates: what a recipe demands of a model, compared with what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from schemas.recipe.evaluate import Gate


@dataclass(frozen=True)
class Outcome:
    """The outcome of one gate. ``metrics.json`` has the same names.

    Attributes:
        gate: Its name: the place of a value in ``metrics.json``.
        expected: The limits, in words.
        found: The value; None if there is none.
        passed: Whether the value is within the limits. A value that was not measured does not pass.
        why: Reason that there is no value; "" if there is one.
    """

    gate: str
    expected: str
    found: float | None
    passed: bool
    why: str = ""


def check_gates(gates: Mapping[str, Gate], document: Mapping[str, Any]) -> list[Outcome]:
    """Compare each gate with the content of ``metrics.json``."""
    return [_check(name, gate, document) for name, gate in gates.items()]


def document(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """Return the outcomes as ``metrics.json`` holds them."""
    return [asdict(outcome) for outcome in outcomes]


def _check(name: str, gate: Gate, document: Mapping[str, Any]) -> Outcome:
    def failed(why: Any) -> Outcome:
        return Outcome(name, str(gate), None, passed=False, why=str(why))

    value: Any = document
    path: list[str] = []
    left_out: Any = ""
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return failed(f"{'.'.join(path)} has nothing below it")
        if part not in value:
            absent = f"{'.'.join(path) or 'metrics.json'} has no {part}, but {', '.join(value)}"
            return failed(value.get("left_out") or absent)
        left_out = value.get("left_out", left_out)
        value = value[part]
        path.append(part)
    if isinstance(value, Mapping):  # a metric, whose number is its value; or a section that was left out
        left_out, value = value.get("left_out", ""), value.get("value")
    if value is None or isinstance(value, Mapping | list | str):
        return failed((value is None and left_out) or "there is no number")
    figure = float(value)
    return Outcome(name, str(gate), figure, passed=gate.passes(figure))
