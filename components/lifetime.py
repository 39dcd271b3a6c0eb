"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import os
import threading
import time

_watching = False


def leave_with_parent() -> None:
    """Ends this process when its parent is gone: a killed run leaves nobody behind who still writes."""
    global _watching
    if _watching:
        return
    _watching = True
    parent = os.getppid()

    def watch() -> None:
        # The parent's number changes when it dies; asked for, because no signal says so on every system.
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="leave-with-parent").start()
