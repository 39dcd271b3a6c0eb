"""A child process runs a module of this project, and its error reaches the parent."""

from __future__ import annotations

import subprocess

import pytest

from components.workers import child
from components.workers.child import ROOT, failure_in, start_child
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


LIBRARIES = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "E0000 00:00:1796068468.901743   27482 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error\n"
    "WARNING:root:apitools not found\n"
)
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    work()\n'


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        (LIBRARIES, ""),
        (f"{TRACEBACK}ValueError: no graph\nof this name\n{LIBRARIES}", "ValueError: no graph"),
        (f"{TRACEBACK}KeyError: 1\n\nDuring handling of it:\n\n{TRACEBACK}a.b.Error: two\n", "a.b.Error: two"),
        (f"{TRACEBACK}", ""),  # the process was killed while it wrote
        (f"terminate called without an active exception\n{LIBRARIES}", "terminate called without an active exception"),
        ("F0000 00:00:17.1   27 a.cc:5] Check failed: x\n", "F0000 00:00:17.1   27 a.cc:5] Check failed: x"),
        ("Fatal Python error: Aborted\n\nThread 0x1:\n", "Fatal Python error: Aborted"),
    ],
)  # fmt: skip
def test_what_libraries_log_is_no_reason_of_a_failure(log: str, reason: str) -> None:
    assert failure_in(log) == reason
