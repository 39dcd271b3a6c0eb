"""A process of its own for what loads TensorFlow beside the stages: no setting keeps that from writing on the screen."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.core.run import StageFailed, child_environment


def run_module(
    module: str, arguments: Sequence[str | Path], *, command: str, given: bytes = b"", log_path: Path | None = None
) -> None:
    """Runs ``python -m module arguments``.

    Args:
        module: With a `main`.
        arguments: Of it.
        command: What a person called, for messages.
        given: On standard input.
        log_path: Where it goes what the process says; None: only its last line is of use.

    Raises:
        StageFailed: It ended with another status than 0.
    """
    with _log(log_path) as log:
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            input=given,
            stdout=log,
            stderr=log,
            env=child_environment(verbose=False),
            check=False,
        )
        if done.returncode:
            log.seek(0)
            ended = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
            last = (log.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1][:200]
            where = "" if log_path is None else f"; the log: {log_path}"
            raise StageFailed(f"{command}: ended unexpectedly ({ended}): {last}{where}", 1)


@contextmanager
def _log(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        with tempfile.TemporaryFile() as log:
            yield log
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w+b") as log:
            yield log
