"""Kill a process at a named write: Python loads this at its start in a process that has this folder on its PYTHONPATH.

``KILL_AT=state.npz`` names the file, or a pattern of its name, and ``KILL_AT_TIME=2`` which of its writes: the process ends by
SIGKILL when the second such file is written under its temporary name and has not got its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from schemas import atomic

_replacing = atomic.replacing
_left = int(os.environ.get("KILL_AT_TIME", "1"))


@contextmanager
def _killed_while_replacing(path: Path) -> Iterator[Path]:
    global _left
    with _replacing(path) as temporary:
        yield temporary
        if fnmatch(path.name, os.environ["KILL_AT"]):
            _left -= 1
            if _left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


if "KILL_AT" in os.environ:
    atomic.replacing = _killed_while_replacing
