"""Waiting for what another process does. The only bound is far beyond what any machine takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 300.0  # seconds; the one bound of all waits in tests


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds.

    Args:
        condition: Called again and again.
        what: The condition in words, for the message.

    Raises:
        AssertionError: It still does not hold after `PATIENCE`.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain: {what}"
        time.sleep(0.02)
