"""Generators that `compare` runs in the test's own process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.tools.compare import process


def run_here(module: str, arguments: Sequence[str | Path], *, name: str) -> None:
    """Run generators in this process: another one needs seconds to load TensorFlow."""
    assert (module, name) == ("pipeline.tools.compare.process", "compare")
    process.main(*map(str, arguments))
