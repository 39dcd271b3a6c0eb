"""Export takes a model that passes the gates of its recipe; export.despite names gates that may fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.by_hand import write_evaluation

from components.export.run import check_gates
from schemas.artifacts.kinds import ModelEvaluation
from schemas.errors import DataError, UsageError


def outcome(gate: str, *, passed: bool, found: float | None = 7.25, why: str = "") -> dict[str, Any]:
    """Return the outcome of a gate, as in ``metrics.json``."""
    return {"gate": gate, "expected": "at most 5", "found": found, "passed": passed, "why": why}


def evaluated(folder: Path, *gates: dict[str, Any]) -> ModelEvaluation:
    """Write an evaluation with these outcomes."""
    evaluation = ModelEvaluation(folder / "evaluation")
    write_evaluation(evaluation, gates=gates)
    return evaluation


def test_a_model_without_gates_or_that_passed_all_is_exported(tmp_path: Path) -> None:
    check_gates(evaluated(tmp_path), despite=())
    check_gates(evaluated(tmp_path, outcome("metrics.mse", passed=True)), despite=())


def test_a_failed_gate_stops_the_export(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path, outcome("metrics.mse", passed=False), outcome("metrics.kl", passed=False))
    with pytest.raises(DataError) as caught:
        check_gates(evaluation, despite=())
    assert str(caught.value) == (
        "evaluate.gates: expected metrics.mse at most 5, found 7.25 (and 1 more); improve the model, or set "
        "export.despite=[metrics.mse, metrics.kl] to export it all the same"
    )


def test_a_gate_without_a_value_fails_and_says_why(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path, outcome("usefulness.ratio", passed=False, found=None, why="there are no labels"))
    with pytest.raises(DataError, match="found there are no labels"):
        check_gates(evaluation, despite=())


def test_gates_of_export_despite_may_fail_and_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = evaluated(tmp_path, outcome("metrics.mse", passed=False), outcome("metrics.kl", passed=False))
    with pytest.raises(DataError, match=r"expected metrics\.kl"):
        check_gates(evaluation, despite=("metrics.mse",))
    check_gates(evaluation, despite=("metrics.mse", "metrics.kl"))
    assert "despite metrics.kl: expected at most 5, found 7.25" in capsys.readouterr().out


def test_export_despite_takes_only_gates(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path, outcome("metrics.mse", passed=False))
    with pytest.raises(UsageError, match=r"expected gates of evaluate\.gates \(metrics\.mse\), found everything"):
        check_gates(evaluation, despite=("everything",))
