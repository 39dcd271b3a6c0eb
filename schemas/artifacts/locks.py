"""Locks on artifacts between processes, also of several machines where the file system has locks: one writes, many read.

The system releases them when a process ends, even when it is killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from schemas.errors import DataError

LOCK_SECONDS = 10.0  # the last process of a killed run ends sooner


@contextmanager
def writing(artifact: Path) -> Iterator[None]:
    """Hold the lock of the one process that writes an artifact of this name. Its file is gone when it is released.

    Raises:
        DataError: Another process holds it.
    """
    path = _lock_of_writer(artifact)
    while True:
        with path.open("wb") as file:
            if not _locked(file, fcntl.LOCK_EX):
                raise DataError(
                    f"{artifact.parent}: expected no other run, found one that is writing there; wait for it, or stop it"
                )
            if not _is_at(file, path):
                continue  # the process that held it has removed it: a third one may hold a new one
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def is_written(artifact: Path) -> bool:
    """Return whether a living process writes an artifact of this name."""
    try:
        with _lock_of_writer(artifact).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock yet, or none on this file system
        return False
    return False


@contextmanager
def reading(artifacts: Iterable[Path]) -> Iterator[None]:
    """Hold shared locks on artifacts, so that no other process replaces them, where they have lock files.

    `replacing` makes these. No file is made here, because what is read may be another person's, or on a disk that is read only.

    Raises:
        DataError: Another process is replacing one.
    """
    with ExitStack() as stack:
        for artifact in artifacts:
            try:
                locked = _locked(stack.enter_context(_lock_of_readers(artifact).open("rb")), fcntl.LOCK_SH)
            except OSError:  # no lock file, or a file system without locks
                continue
            if not locked:
                raise DataError(f"{artifact}: expected it whole, found a run that is replacing it; try again")
        yield


@contextmanager
def replacing(artifact: Path) -> Iterator[None]:
    """Hold the lock under which an artifact may be replaced, because no other process reads it.

    Raises:
        DataError: Another process reads it.
    """
    with ExitStack() as stack:
        try:
            locked = _locked(stack.enter_context(_lock_of_readers(artifact).open("a+b")), fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            locked = True
        if not locked:
            raise DataError(
                f"{artifact}: expected nobody to read what is to be replaced, found a run that does; when it has ended, run the "
                "same command again, which resumes"
            )
        yield


def _lock_of_writer(artifact: Path) -> Path:
    return artifact.with_name(f".lock-{artifact.name}")


def _lock_of_readers(artifact: Path) -> Path:
    return artifact.with_name(f".readers-{artifact.name}")


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Return whether an open file is still the one that has this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _locked(file: IO[bytes], kind: int) -> bool:
    """Wait for a lock, not longer than `LOCK_SECONDS`; return whether it is held now."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
