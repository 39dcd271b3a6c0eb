"""Export takes a model that reached what its recipe demands, or what somebody names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.by_hand import write_evaluation

from components.export.run import check_gates
from components.latents.sampler_file import read_sampler
from schemas.artifacts.kinds import ModelEvaluation
from schemas.errors import DataError, UsageError


def outcome(gate: str, *, passed: bool, found: float | None = 7.25, why: str = "") -> dict[str, Any]:
    """Of a gate, as ``metrics.json`` has it."""
    return {"gate": gate, "expected": "at most 5", "found": found, "passed": passed, "why": why}


def evaluated(folder: Path, *gates: dict[str, Any]) -> ModelEvaluation:
    """An evaluation with these outcomes."""
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


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", None])
def test_a_sampler_that_cannot_be_read_is_said(content: bytes | None, tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)
    if content is None:
        evaluation.sampler_path.unlink()
    else:
        evaluation.sampler_path.write_bytes(content)
    with pytest.raises(DataError, match=r"sampler\.npz: expected a sampler of codes, found something else"):
        read_sampler(evaluation.sampler_path)
