"""TensorBoard's event files, whose names TensorFlow makes of the time, the host's name and the process's number."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

_WITH_HOST = re.compile(r"(events\.out\.tfevents\.\d+)\..+\.\d+\.\d+\.v2")


def remove_host(folder: Path) -> None:
    """Rename the event files below a folder to ``events.out.tfevents.<time>.<number>.v2``, which TensorBoard reads alike.

    A model is given to others, and the host's name is often that of a person.
    """
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        if match := _WITH_HOST.fullmatch(path.name):
            names = (path.with_name(f"{match[1]}.{number}.v2") for number in count())
            path.rename(next(name for name in names if not name.exists()))
