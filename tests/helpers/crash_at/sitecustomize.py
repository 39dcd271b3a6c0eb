"""Crash a decoder: Python loads this at its start in a process that has this folder on its PYTHONPATH.

``CRASH_AT=13x17`` names the size of images whose decoder ends its process, and ``CRASH_BY=SIGKILL`` the signal, which is a
segmentation fault otherwise.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from PIL import ImageFile

_load = ImageFile.ImageFile.load


def _crashing_load(image: ImageFile.ImageFile) -> Any:
    if "{}x{}".format(*image.size) == os.environ["CRASH_AT"]:
        # Of this thread: a signal of the process could let it go on for a moment.
        signal.raise_signal(signal.Signals[os.environ.get("CRASH_BY", "SIGSEGV")])
    return _load(image)


if "CRASH_AT" in os.environ:
    ImageFile.ImageFile.load = _crashing_load  # type: ignore[method-assign]
