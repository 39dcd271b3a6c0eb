"""Workers on units, in a module that Beam's worker processes can import. No test is here."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

from components.workers.runner import UnitDoFn


class WriteDoFn(UnitDoFn):
    """Writes the path of each unit into its file; four units fail, each in another way."""

    def process(self, unit: str) -> None:
        match Path(unit).name:
            case "bad":
                raise ValueError("a unit that cannot be done\nwith a second line")
            case "disk-full":
                raise OSError(errno.ENOSPC, "No space left on device", unit)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crashed":
                os.kill(os.getpid(), signal.SIGSEGV)
        Path(unit).write_text(unit)
