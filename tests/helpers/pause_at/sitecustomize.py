"""Stop a stage's process where it has checked its inputs and reads them next: Python loads this at its start.

The process stops by SIGSTOP, and goes on by SIGCONT. Nothing else is stopped, such as the command that started it.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.artifacts.manifest import Artifact
    from schemas.artifacts.staging import Staging


def _stop_in_between() -> None:
    from schemas.artifacts.staging import Staging

    open_staging = Staging.open

    def open_and_stop(staging: Staging, kind: type[Artifact]) -> Artifact:
        artifact = open_staging(staging, kind)
        # Of this thread: a signal of the process could let it go on for a moment.
        signal.raise_signal(signal.SIGSTOP)
        return artifact

    Staging.open = open_and_stop  # type: ignore[method-assign]


if "pipeline.core.stage_process" in sys.orig_argv:
    _stop_in_between()
