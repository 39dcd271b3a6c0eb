"""Inception's weights have an option and a variable, which stand for the recipe's key."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from helpers.paths import ROOT


@pytest.mark.parametrize("stage", ["evaluate", "all"])
def test_the_option_stands_for_the_key(stage: str, pipeline: Callable[..., tuple[int, str, str]]) -> None:
    assert "inception" not in pipeline(stage, "--dry-run")[1]
    assert "inception my: weights.pt\n" in pipeline(stage, "--dry-run", "--inception", "my: weights.pt")[1]


@pytest.mark.process
def test_the_variable_stands_for_the_key() -> None:
    def printed(*arguments: str) -> str:
        command = ["make", "-n", "evaluate", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout

    assert "--set 'evaluate.inception=\"my weights.pt\"'" in printed("INCEPTION=my weights.pt")
    assert "evaluate.inception" not in printed()
