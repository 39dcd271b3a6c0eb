"""Workers on units, in a module that Beam's worker processes can import. No test is here."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

from components.workers.runner import UnitDoFn
from schemas.errors import DataError, UsageError


class WriteDoFn(UnitDoFn):
    """Writes the path of each unit into its file; some units fail, each in another way."""

    def process(self, unit: str) -> None:
        match Path(unit).name:
            case "bad":
                raise ValueError("a unit that cannot be done\nwith a second line")
            case "disk-full":
                raise OSError(errno.ENOSPC, "No space left on device", unit)
            case "unusable":
                raise UsageError("label: expected cat, found 'dog' [a note]")
            case "broken":
                raise DataError("a/file: expected pixels, found none")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crashed":
                # Of this thread: a signal of the process could let it go on for a moment.
                signal.raise_signal(signal.SIGSEGV)
        Path(unit).write_text(unit)
