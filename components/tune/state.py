"""Where a search stands, in one file that is whole or not there, and is checked when it is read.

KerasTuner writes a file per trial and one of its own, in place: one that a kill cut short, or two that do not belong
together, end a search for good.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from components.reporting.console import say
from schemas import atomic
from schemas.errors import DataError


class StateFile:
    """JSON below its sha256. The one before is kept, too.

    Args:
        path: Of the file; the one before has `.before` after its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = path.with_name(f"{path.name}.before")

    def write(self, state: dict[str, Any]) -> None:
        """Writes a state in place of the one before the last."""
        text = json.dumps(state).encode()
        if self.path.exists():
            os.replace(self.path, self.before)
        atomic.write_bytes(self.path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)

    def read(self) -> dict[str, Any] | None:
        """The last state that is whole; none where nothing was ever written.

        Raises:
            DataError: There are states, and all are broken.
        """
        broken = []
        for path in (self.path, self.before):
            try:
                digest, _, text = path.read_bytes().partition(b"\n")
            except FileNotFoundError:
                continue
            if hashlib.sha256(text).hexdigest().encode() == digest:
                if broken:
                    say(f"{broken[0]} is broken; goes on from the state before it")
                found: dict[str, Any] = json.loads(text)
                return found
            broken.append(path)
        if broken:
            raise DataError(
                f"{broken[0]}: expected the state of a search, found a broken file; remove {self.path.parent} to begin anew"
            )
        return None
