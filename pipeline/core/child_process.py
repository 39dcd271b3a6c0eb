"""Runs a module in a child process, with its log in a file and its failure as one line."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from components.reporting.console import console
from components.workers.child import INTERRUPTED, Child, failure_in, start_child


class StageFailed(Exception):
    """A child process that reported an error (status 1 or 2), or ended unexpectedly.

    Attributes:
        exit_status: Status with which the command exits.
        crashed: Whether the process, or a worker process of it, ended by a crash, such as a segmentation fault.
    """

    def __init__(self, message: str, exit_status: int, *, crashed: bool = False) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.crashed = crashed


def run_module(
    module: str,
    arguments: Sequence[str | Path] = (),
    *,
    name: str,
    log_path: Path | None = None,
    stdin: bytes = b"",
    quiet: bool = True,
    verbose: bool = False,
    hint: str = "",
) -> None:
    """Run ``python -m module arguments`` and wait for its end.

    Args:
        module: A module that calls `run_as_child`.
        arguments: Its arguments.
        name: Of the stage or command, for error lines.
        log_path: File for its standard error, the libraries' log; None: that is not kept.
        stdin: What it reads on standard input.
        quiet: Send its standard output to the log, too.
        verbose: Send the libraries' log to the screen, and let TensorFlow log everything.
        hint: What a person can do where it ends unexpectedly.

    Raises:
        StageFailed: It ended with another status than 0.
    """
    console.file.flush()
    with _log(log_path) as log:
        child = start_child(
            module,
            arguments,
            stdin=stdin,
            stdout=log if quiet else None,
            stderr=None if verbose else log,
            environment={"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0")} if verbose else {},
        )
        error = child.error()
        status = child.process.wait()
        log.seek(0)
        text = log.read().decode(errors="replace")
    if error:
        raise StageFailed(error, 1 if child.crashed() else status, crashed=child.crashed())
    if status:
        parts = [f"{name}: {_ending(child, text)}"]
        parts += [hint] if hint else []
        parts += [f"the log: {log_path}"] if log_path is not None else []
        raise StageFailed("; ".join(parts), 1, crashed=child.crashed())


def _ending(child: Child, log: str) -> str:
    """Say how a process ended; and why, if its log says so. Of a process that was killed, no log says why."""
    status = child.process.wait()
    if status == INTERRUPTED or (status < 0 and not child.crashed()):
        return f"was interrupted ({child.ending()}) by somebody, or by the system, as when memory runs out"
    reason = failure_in(log)
    return f"ended unexpectedly ({child.ending()}){f': {reason[:200]}' if reason else ''}"


@contextmanager
def _log(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        with tempfile.TemporaryFile() as log:
            yield log
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w+b") as log:
            yield log
