"""KerasTuner's files, kept whole through a kill.

KerasTuner writes its JSON files in place, and one that a kill cut short ends a search for good. So after each trial its
folder is copied and the copy renamed; a search always starts from the newest such copy, with finished trials only.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class Snapshots:
    """Numbered copies of a folder.

    Args:
        live: The folder that KerasTuner writes to.
        kept: Where the copies are.
    """

    def __init__(self, live: Path, kept: Path) -> None:
        self.live = live
        self.kept = kept

    def restore(self) -> None:
        """Makes the live folder what it was when the last trial ended."""
        shutil.rmtree(self.live, ignore_errors=True)
        if found := self._finished():
            shutil.copytree(found[-1], self.live)

    def take(self, number: int) -> None:
        """Keeps the live folder as it is, and drops older copies."""
        self.kept.mkdir(parents=True, exist_ok=True)
        temporary = self.kept / "unfinished"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(self.live, temporary)
        os.replace(temporary, self.kept / f"{number:06d}")
        for older in self._finished()[:-1]:
            shutil.rmtree(older, ignore_errors=True)

    def _finished(self) -> list[Path]:
        return sorted(self.kept.glob("[0-9]" * 6))
