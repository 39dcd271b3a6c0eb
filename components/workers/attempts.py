"""Marks of the units of work that are under way, by which the next attempt knows which of them a crash interrupted.

A unit whose process died is done in isolation the next time. Marks are files, because only they outlive a process; they are not
flushed to disk, because a crash of the machine is no crash of a unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "attempts"  # within a stage's work folder


@contextmanager
def attempt(work: Path, unit: str) -> Iterator[bool]:
    """Mark a unit as under way inside of the block; an error that ends the block removes the mark, the process's death does not.

    Args:
        work: The stage's work folder.
        unit: Name of the unit, as a file's name.

    Yields:
        Whether an earlier attempt ended with its process, so that this one should be made in isolation.
    """
    folder = work / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    begun, isolated = folder / f"{unit}.begun", folder / f"{unit}.isolated"
    interrupted = begun.exists()
    (isolated if interrupted else begun).touch()
    try:
        yield interrupted
    finally:
        isolated.unlink(missing_ok=True)
        begun.unlink(missing_ok=True)


def interrupted_units(work: Path) -> list[str]:
    """Return the units whose process died while they were done as usual: the next attempt at them will be in isolation."""
    folder = work / FOLDER
    return sorted(path.stem for path in folder.glob("*.begun") if not path.with_suffix(".isolated").exists())
