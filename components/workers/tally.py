"""Counts of what workers have done, in any process or machine: each worker keeps a small file, and a reader adds up."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

_COUNTS = struct.Struct("<qq")  # done, rejected
_SECONDS = 0.2  # between two writes


class Tally:
    """The counts of one worker, added to those of an earlier worker with the same number."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{socket.gethostname()}-{os.getpid()}"
        self.done, self.rejected = _read(path)
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.last_write = time.monotonic()

    def add(self, *, done: int = 0, rejected: int = 0) -> None:
        """Add images to the counts."""
        self.done += done
        self.rejected += rejected
        if time.monotonic() - self.last_write > _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the counts to the file."""
        # In place, so that no reader sees an empty file.
        os.pwrite(self.file, _COUNTS.pack(self.done, self.rejected), 0)
        self.last_write = time.monotonic()


class TotalTally:
    """The sum of all workers' counts since this object was created, which removes earlier counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in folder.glob("*"):
            path.unlink()

    def done(self) -> int:
        """Return the number of images that are done, including rejected ones."""
        return sum(sum(_read(path)) for path in self.folder.glob("*"))

    def note(self) -> str:
        """Return the number of rejected images in words; "" for none."""
        rejected = sum(_read(path)[1] for path in self.folder.glob("*"))
        return f"{rejected:,} rejected" if rejected else ""


def _read(path: Path) -> tuple[int, int]:
    try:
        done, rejected = _COUNTS.unpack(path.read_bytes())
    except (FileNotFoundError, struct.error):
        return 0, 0
    return done, rejected
