"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import os
import threading
import time

PARENT = "LATENT_MILL_PARENT"
_watching = False


def with_parent() -> dict[str, str]:
    """What goes into the environment of a process that shall end with this one."""
    return {PARENT: str(os.getpid())}


def leave_with_parent() -> None:
    """Ends this process when its parent is gone: a killed run leaves nobody behind who still writes."""
    global _watching
    if _watching:
        return
    _watching = True
    # A parent may be gone before its child comes this far, so it says who it is. Not for grandchildren, so it is taken out.
    parent = int(os.environ.pop(PARENT, os.getppid()))

    def watch() -> None:
        # The parent's number changes when it dies; asked for, because no signal says so on every system.
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="leave-with-parent").start()
