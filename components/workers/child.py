"""Child processes: starts a module of this project in another process, and receives its errors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from components.workers.lifetime import collect_seldom, exit_with_parent, parent_environment
from schemas.errors import DataError, UsageError

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130  # exit status
WORKER_CRASHED = 3  # exit status of a process that is whole itself
# Signals with which a process's own code ends it. SIGKILL is none of them: it comes from a person, or from the system when
# memory runs out.
CRASHES = frozenset((signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP))
TRACEBACK = "Traceback (most recent call last):"
# How Python, C++ and absl say why a process crashes.
FATAL = re.compile(r"Fatal Python error: |terminate called |F\d{4} \d\d:")


@dataclass(frozen=True)
class Child:
    """A process that runs a module of this project and ends with its parent.

    Attributes:
        process: The process.
        errors: The pipe through which it reports an error that a person can mend.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def error(self) -> str:
        """Wait until the child has closed its pipe; return the error that it reported, or an empty text."""
        with self.errors as pipe:
            return pipe.read().decode()

    def ending(self) -> str:
        """Return how the process ended: ``signal 9`` or ``status 1``."""
        status = self.process.wait()
        return f"signal {-status}" if status < 0 else f"status {status}"

    def crashed(self) -> bool:
        """Return whether the process, or a worker process of it, ended by a crash."""
        status = self.process.wait()
        return status == WORKER_CRASHED or -status in CRASHES


def start_child(
    module: str,
    arguments: Sequence[str | Path] = (),
    *,
    stdin: bytes | int = b"",
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start ``python -m module arguments FD``; FD is the file descriptor for an error.

    Args:
        module: A module of this project, which calls `run_as_child` or `report_error`, or ends with its standard input.
        arguments: Its arguments.
        stdin: What it reads on standard input; or `subprocess.PIPE`, through which the caller writes it.
        stdout: Where its standard output goes; None: to this process's.
        stderr: Where its standard error goes; None: to this process's.
        environment: Variables beside this process's own.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as file:
        if isinstance(stdin, bytes):
            file.write(stdin)
            file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments), str(writing)],
            stdin=file if isinstance(stdin, bytes) else stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(writing,),
            env={**os.environ, **_environment(), **(environment or {})},
        )
    os.close(writing)
    return Child(process, os.fdopen(reading, "rb"))


def run_as_child(main: Callable[..., None]) -> int:
    """Run `main` in a process that `start_child` started; return its exit status.

    It is called with the arguments. A UsageError or a DataError goes to the parent instead of the screen, and ends the process.
    """
    exit_with_parent()
    collect_seldom()
    *arguments, pipe = sys.argv[1:]
    try:
        main(*arguments)
    except (UsageError, DataError) as error:
        report_error(int(pipe), str(error))
        end(error.exit_status)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def end(status: int) -> NoReturn:
    """End this process at once: a library that got no memory for its threads may wait for them when it is cleaned up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def report_error(pipe: int, message: str) -> None:
    """Send an error's message to the parent."""
    with os.fdopen(pipe, "wb") as file:
        file.write(message.encode())


def failure_in(log: str) -> str:
    """Return the line of a process's log that says why it failed: its last exception, or fatal error; "" where there is none.

    Whatever else libraries log, such as warnings, is no reason, even if it comes last.
    """
    lines, failure = log.splitlines(), ""
    for number, line in enumerate(lines):
        if line.strip() == TRACEBACK:  # below it, the calls are indented, and the exception is not
            failure = next(
                (below for below in lines[number + 1 :] if below.strip() and not below[0].isspace()), failure
            )
        elif FATAL.match(line):
            failure = line
    return failure.strip()


def _environment() -> dict[str, str]:
    """Return variables by which a child finds these packages, exits with this process, and logs only warnings and errors."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")
    return {**parent_environment(), "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": level}
