"""Processes that exit with their parent, also when it is killed."""

from __future__ import annotations

import os
import threading
import time

PARENT = "LATENT_MILL_PARENT"
_watching = False


def parent_environment() -> dict[str, str]:
    """Return variables for the environment of a child that calls `exit_with_parent`."""
    return {PARENT: str(os.getpid())}


def exit_with_parent() -> None:
    """Exit when the parent process ends, so that a killed run leaves no process that still writes."""
    global _watching
    if _watching:
        return
    _watching = True
    # The parent may have ended before this call, so the environment names it; the variable is not for grandchildren.
    parent = int(os.environ.pop(PARENT, os.getppid()))

    def watch() -> None:
        # The parent's number changes when it ends. It is polled, because not every system has a signal for this.
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="exit-with-parent").start()
