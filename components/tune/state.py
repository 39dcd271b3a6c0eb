"""The state of a search: one file, whole or not there, with a checksum.

KerasTuner writes a file per trial and one more, in place. A file that a kill cut short, or two that do not fit together,
would end a search for good.
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
    """A file of JSON below its sha256. The previous state is kept beside it.

    Args:
        path: The file. The previous state has `.before` after its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = path.with_name(f"{path.name}.before")

    def write(self, state: dict[str, Any]) -> None:
        """Write a state, and keep the previous one."""
        text = json.dumps(state).encode()
        if self.path.exists():
            os.replace(self.path, self.before)
        atomic.write_bytes(self.path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)

    def read(self) -> dict[str, Any] | None:
        """Read the last state that is whole; return None where nothing was ever written.

        Raises:
            DataError: All states are broken.
        """
        broken: list[Path] = []
        for path in (self.path, self.before):
            try:
                digest, _, text = path.read_bytes().partition(b"\n")
            except FileNotFoundError:
                continue
            if hashlib.sha256(text).hexdigest().encode() == digest:
                if broken:
                    say(f"{broken[0]} is broken; resumes from the previous state")
                state: dict[str, Any] = json.loads(text)
                return state
            broken.append(path)
        if broken:
            raise DataError(
                f"{broken[0]}: expected the state of a search, found a broken file; remove {self.path.parent} to begin anew"
            )
        return None
