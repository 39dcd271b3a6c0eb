"""Stop the first of Beam's worker processes before it connects: Python loads this at its start, see `FIRST_WORKER`.

``FIRST_WORKER=killed``: it ends by SIGKILL; ``failed``: with status 1; ``waits``: it never ends by itself. ``FIRST_WORKER_MARK``
names a file that does not exist: the worker that creates it is the first.
"""

from __future__ import annotations

import os
import signal

if "WORKER_ID" in os.environ and "FIRST_WORKER" in os.environ:  # Beam sets the first for its workers alone
    try:
        os.close(os.open(os.environ["FIRST_WORKER_MARK"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        pass
    else:
        match os.environ["FIRST_WORKER"]:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "failed":
                os._exit(1)
            case _:
                signal.pause()
