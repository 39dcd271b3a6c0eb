"""How far workers are, whatever process or machine they run in: each keeps a small file, and whoever watches adds up."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

_COUNTS = struct.Struct("<qq")  # done, rejected
_SECONDS = 0.2  # between two writes


class Tally:
    """What one worker has done."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{socket.gethostname()}-{os.getpid()}"
        self.done, self.rejected = _read(path)
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.written = time.monotonic()

    def add(self, *, done: int = 0, rejected: int = 0) -> None:
        """Counts images."""
        self.done += done
        self.rejected += rejected
        if time.monotonic() - self.written > _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Makes the counts visible."""
        os.pwrite(self.file, _COUNTS.pack(self.done, self.rejected), 0)  # in place: nobody sees an empty file
        self.written = time.monotonic()


class Tallied:
    """What all workers have done since this was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for left in folder.glob("*"):
            left.unlink()

    def done(self) -> int:
        """Images that are done with, the rejected ones included."""
        return sum(sum(_read(path)) for path in self.folder.glob("*"))

    def note(self) -> str:
        """How many were rejected, in words; "" for none."""
        rejected = sum(_read(path)[1] for path in self.folder.glob("*"))
        return f"{rejected:,} rejected" if rejected else ""


def _read(path: Path) -> tuple[int, int]:
    try:
        done, rejected = _COUNTS.unpack(path.read_bytes())
    except (FileNotFoundError, struct.error):
        return 0, 0
    return done, rejected
