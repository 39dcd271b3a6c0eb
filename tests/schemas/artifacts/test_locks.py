"""Locks on artifacts: one process writes, and leaves no file behind."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from schemas.artifacts import locks
from schemas.errors import DataError


def test_the_lock_of_a_writer_leaves_no_file(tmp_path: Path) -> None:
    with locks.writing(tmp_path / "model"):
        assert locks.is_written(tmp_path / "model")
    assert not locks.is_written(tmp_path / "model")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), locks.writing(tmp_path / "model"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_who_waited_for_a_lock_that_was_removed_takes_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, wait, waits = tmp_path / ".lock-model", locks._locked, 0

    def removed_at_first(*arguments: object) -> bool:
        nonlocal waits
        waits += 1
        if waits == 1:  # its holder ends, and a third process makes a new file
            path.unlink()
            path.touch()
        return wait(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(locks, "_locked", removed_at_first)
    with locks.writing(tmp_path / "model"):
        assert waits == 2
        monkeypatch.setattr(locks, "LOCK_SECONDS", 0.0)
        with pytest.raises(DataError, match="found one that is writing there"), locks.writing(tmp_path / "model"):
            pass
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
