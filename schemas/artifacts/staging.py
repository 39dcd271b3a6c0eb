"""The staging folder in which an artifact is written, and its replacement of the former artifact."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from schemas import atomic
from schemas.artifacts.manifest import Artifact
from schemas.errors import DataError


class Staging:
    """The folder in which an artifact is written: ``.partial-<name>-<fingerprint>``, beside its final name.

    The fingerprint stands for inputs and settings, so that a stage resumes only work with the same inputs and settings.
    """

    def __init__(self, final: Path, fingerprint: str) -> None:
        self.final = final
        self.root = final.with_name(f".partial-{final.name}-{fingerprint[:12]}")

    @property
    def work(self) -> Path:
        """The folder of scratch files, which an interrupted run leaves for the next one."""
        return self.root / "work"

    def keep_only(self, editions: str) -> None:
        """Discard the work of an interrupted run that read other editions of its inputs.

        The fingerprint stands for their content. An input may have been another one in between, and the former one again.
        """
        record = self.root / "inputs"
        if record.is_file() and record.read_text(encoding="utf-8") != editions:
            self.discard()
        atomic.write_text(record, editions)

    def discard(self) -> None:
        """Remove all that was written."""
        shutil.rmtree(self.root, ignore_errors=True)

    def discard_unused(self) -> None:
        """Remove the folders in which nothing has been written yet."""
        folders = (self.root / "artifact", self.work)
        if not any(path.is_file() for folder in folders for path in folder.rglob("*")):
            self.discard()

    def open(self, kind: type[Artifact]) -> Artifact:
        """Return the artifact to write, in new folders or in those of an interrupted run.

        Raises:
            DataError: Something else lies where the artifact belongs.
        """
        if other := kind(self.final).in_its_place():
            raise DataError(f"{other}; move it to another place")
        artifact = kind(self.root / "artifact", work=self.work)
        artifact.path.mkdir(parents=True, exist_ok=True)
        artifact.work.mkdir(parents=True, exist_ok=True)
        for temporary in [*artifact.path.rglob(atomic.TEMPORARY), *artifact.work.rglob(atomic.TEMPORARY)]:
            temporary.unlink()  # left by a process that was killed
        return artifact

    def publish(self) -> None:
        """Replace the former artifact by the sealed one, and remove the scratch folder."""
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
    """Undo a replacement that a crash interrupted: give the former artifact its name back."""
    previous = _previous(final)
    if previous.exists() and not final.exists():
        os.replace(previous, final)


def _previous(final: Path) -> Path:
    return final.with_name(f".previous-{final.name}")
