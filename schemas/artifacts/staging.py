"""Where an artifact grows until it is whole, and how it takes the place of the one before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from schemas import atomic
from schemas.artifacts.manifest import Artifact


class Staging:
    """Where an artifact grows until it is whole: ``.partial-<name>-<fingerprint>`` beside its final name.

    The fingerprint stands for inputs and settings, so work is continued only where it would be done the same way.
    """

    def __init__(self, final: Path, fingerprint: str) -> None:
        self.final = final
        self.root = final.with_name(f".partial-{final.name}-{fingerprint[:12]}")

    def open(self, kind: type[Artifact]) -> Artifact:
        """Makes the folders, or finds what an interrupted run left there."""
        artifact = kind(self.root / "artifact", work=self.root / "work")
        artifact.path.mkdir(parents=True, exist_ok=True)
        artifact.work.mkdir(parents=True, exist_ok=True)
        for left in [*artifact.path.rglob(atomic.TEMPORARY), *artifact.work.rglob(atomic.TEMPORARY)]:
            left.unlink()  # begun by a process that was killed
        return artifact

    def publish(self) -> None:
        """Gives the sealed artifact its final name, in place of the one that had it, and removes the scratch work."""
        previous = _previous(self.final)
        shutil.rmtree(previous, ignore_errors=True)
        if self.final.exists():
            os.replace(self.final, previous)
        os.replace(self.root / "artifact", self.final)
        atomic.fsync(self.final.parent)
        shutil.rmtree(previous, ignore_errors=True)
        for partial in self.final.parent.glob(f".partial-{self.final.name}-????????????"):
            shutil.rmtree(partial, ignore_errors=True)


def recover(final: Path) -> None:
    """Undoes a replacement that a crash cut in two: the artifact that was there before gets its name back."""
    previous = _previous(final)
    if previous.exists() and not final.exists():
        os.replace(previous, final)


def _previous(final: Path) -> Path:
    return final.with_name(f".previous-{final.name}")
