"""How child processes live and end: with their parent, also when it is killed, and with few looks for garbage."""

from __future__ import annotations

import atexit
import gc
import os
import threading
import time

PARENT = "LATENT_MILL_PARENT"
_SELDOM = (50_000, 20, 20)  # new objects before a search of the newest, and such searches before one of older ones
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


def collect_seldom() -> None:
    """Spare this process the search for garbage among all objects of its libraries, which are never garbage.

    While they are imported, it is hardly searched: with TensorFlow, that is a sixth of the time. When the process ends, it is not
    searched at all: that takes a second, and all memory goes back to the system anyway. Functions of `atexit` run as always.
    """
    gc.set_threshold(*_SELDOM)
    atexit.register(gc.freeze)  # nothing that is frozen is searched
