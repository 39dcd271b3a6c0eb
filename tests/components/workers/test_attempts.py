"""Marks of units under way: an error removes a unit's mark, the death of its process does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.workers.attempts import FOLDER, attempt, interrupted_units


def die_in(work: Path, unit: str) -> bool:
    """Leave what a process leaves that dies while it does a unit; return whether it did it in isolation."""
    block = attempt(work, unit)
    isolated = block.__enter__()
    marks = {path: path.read_bytes() for path in (work / FOLDER).iterdir()}
    block.__exit__(None, None, None)
    for path, content in marks.items():
        path.write_bytes(content)
    return isolated


def test_a_unit_whose_process_died_is_done_in_isolation_until_it_is_done(tmp_path: Path) -> None:
    assert not die_in(tmp_path, "one")
    assert interrupted_units(tmp_path) == ["one"]
    with attempt(tmp_path, "two") as isolated:
        assert not isolated
    with attempt(tmp_path, "one") as isolated:
        assert isolated
    assert interrupted_units(tmp_path) == []
    with attempt(tmp_path, "one") as isolated:
        assert not isolated


def test_a_unit_that_dies_in_isolation_is_no_reason_to_try_again_at_once(tmp_path: Path) -> None:
    die_in(tmp_path, "one")
    assert die_in(tmp_path, "one")
    assert interrupted_units(tmp_path) == []
    with attempt(tmp_path, "one") as isolated:  # but the next command does
        assert isolated


def test_an_error_is_no_crash(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), attempt(tmp_path, "one"):
        raise ValueError("bad")
    assert interrupted_units(tmp_path) == []


def test_without_any_attempt_there_is_nothing_interrupted(tmp_path: Path) -> None:
    assert interrupted_units(tmp_path) == []
