"""Failures that are known and not mended yet are listed in known_failures.txt; a new one fails the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

KNOWN = set((Path(__file__).parent / "known_failures.txt").read_text().splitlines())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each known failure; the list is to become empty."""
    for item in items:
        if item.nodeid in KNOWN:
            item.add_marker(pytest.mark.xfail(reason="known, see tests/known_failures.txt", strict=False))
