"""A child process runs a module of this project, and its error reaches the parent."""

from __future__ import annotations

import subprocess

import pytest

from components.workers import child
from components.workers.child import ROOT, start_child
from schemas.errors import UsageError


def test_a_child_reads_its_input_and_finds_these_packages() -> None:
    """`this` would print a poem; `timeit` runs a statement that we choose."""
    code = "import sys, schemas; print(schemas.__file__, sys.stdin.read(), sys.argv[1:])"
    started = start_child("timeit", ["-n1", "-r1", code], stdin="grüße".encode(), stdout=subprocess.PIPE)
    assert started.process.stdout is not None
    printed = started.process.stdout.read().decode()
    started.process.stdout.close()
    assert started.error() == ""
    assert started.ending() == "status 0"
    assert f"{ROOT / 'schemas' / '__init__.py'} grüße" in printed


def test_the_signal_that_ended_a_child_is_named() -> None:
    started = start_child("timeit", ["-n1", "-r1", "import os; os.kill(os.getpid(), 9)"])
    assert started.error() == ""
    assert started.ending() == "signal 9"


def test_an_error_of_a_child_reaches_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process: what `run_as_child` writes is what the parent reads."""
    import os

    reading, writing = os.pipe()
    statuses: list[int] = []
    monkeypatch.setattr(child, "exit_with_parent", lambda: None)
    monkeypatch.setattr(child, "end", statuses.append)
    monkeypatch.setattr("sys.argv", ["module", "one", "two", str(writing)])

    def main(*arguments: str) -> None:
        raise UsageError(f"expected three, found {arguments}")

    child.run_as_child(main)
    assert statuses == [2]
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"expected three, found ('one', 'two')"


@pytest.mark.parametrize(("raised", "status"), [(None, 0), (KeyboardInterrupt(), 130)])
def test_the_status_says_how_a_child_ended(
    raised: BaseException | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "exit_with_parent", lambda: None)
    monkeypatch.setattr("sys.argv", ["module", "99"])

    def main() -> None:
        if raised is not None:
            raise raised

    assert child.run_as_child(main) == status
