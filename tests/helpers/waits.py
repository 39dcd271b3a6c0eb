"""Waits for another process. The only bound is much longer than any machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 300.0  # seconds; the only bound of all waits in tests


def wait_until(condition: Callable[[], T], description: str) -> T:
    """Wait until a condition holds, and return its answer.

    Args:
        condition: Called again and again.
        description: The condition in words, for the message.

    Raises:
        AssertionError: It still does not hold after `PATIENCE`.
    """
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain: {description}"
        time.sleep(0.02)
    return answer
