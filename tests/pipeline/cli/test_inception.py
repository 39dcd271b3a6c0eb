"""Inception's weights have an option, which stands for the recipe's key."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("stage", ["evaluate", "all"])
def test_the_option_stands_for_the_key(stage: str, pipeline: Callable[..., tuple[int, str, str]]) -> None:
    assert "inception" not in pipeline(stage, "--dry-run")[1]
    assert "inception my: weights.pt\n" in pipeline(stage, "--dry-run", "--inception", "my: weights.pt")[1]
