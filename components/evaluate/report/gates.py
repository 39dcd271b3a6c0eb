"""What a recipe demands of a model, held against what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from schemas.recipe.recipe import Gate


@dataclass(frozen=True)
class Outcome:
    """Of one gate.

    Attributes:
        gate: Its name: where in ``metrics.json`` the figure stands.
        expected: In words.
        found: The figure; None where there is none.
        passed: Whether it is as expected. What was not measured does not pass.
        why: Why there is no figure, "" where there is one.
    """

    gate: str
    expected: str
    found: float | None
    passed: bool
    why: str = ""


def check_gates(gates: Mapping[str, Gate], document: Mapping[str, Any]) -> list[Outcome]:
    """Holds each gate against the content of ``metrics.json``."""
    return [_check(name, gate, document) for name, gate in gates.items()]


def document(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """What ``metrics.json`` holds of them."""
    return [asdict(outcome) for outcome in outcomes]


def _check(name: str, gate: Gate, document: Mapping[str, Any]) -> Outcome:
    found, where, left_out = document, [], ""
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return Outcome(name, str(gate), None, passed=False, why=f"{'.'.join(where)} has nothing below it")
        if part not in found:
            why = found.get("left_out") or f"{'.'.join(where) or 'metrics.json'} has no {part}, but {', '.join(found)}"
            return Outcome(name, str(gate), None, passed=False, why=str(why))
        left_out = found.get("left_out", left_out)
        found = found[part]
        where.append(part)
    if isinstance(found, Mapping):  # a metric, which is named by itself; or what was left out as a whole
        left_out, found = found.get("left_out", ""), found.get("value")
    if found is None or isinstance(found, Mapping | list | str):
        why = (found is None and left_out) or "there is no number"
        return Outcome(name, str(gate), None, passed=False, why=str(why))
    value = float(found)
    return Outcome(name, str(gate), value, passed=gate.passes(value))
