"""Inception's weights have an option and a variable of their own, which stand for the recipe's key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout


@pytest.mark.parametrize("stage", ["evaluate", "all"])
def test_the_option_stands_for_the_key(stage: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", stage, "--dry-run", "--runs", str(tmp_path)]
    assert "inception: null" in said(*command)
    assert "inception: my: weights.pt," in said(*command, "--inception", "my: weights.pt")


def test_the_variable_stands_for_the_key() -> None:
    assert "--set 'evaluate.inception=\"my weights.pt\"'" in said("make", "-n", "evaluate", "INCEPTION=my weights.pt")
    assert "evaluate.inception" not in said("make", "-n", "evaluate")
