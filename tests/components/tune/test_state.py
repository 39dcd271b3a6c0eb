"""The state of a search is written whole, checked when it is read, and there twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.damage import damaged
from hypothesis import given
from hypothesis import strategies as st

from components.tune import state
from components.tune.state import StateFile
from schemas.errors import DataError


class Killed(BaseException):
    """Stands for a kill: nothing in the project catches it."""


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "search.json")
    assert file.read() is None
    for number in range(3):
        file.write({"trial": number})
        assert file.read() == {"trial": number}
    assert StateFile(tmp_path / "search.json").read() == {"trial": 2}


@given(data=st.data())
def test_however_the_last_state_is_damaged_the_one_before_is_taken(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = StateFile(tmp_path_factory.mktemp("state") / "search.json")
    file.write({"trial": 1})
    file.write({"trial": 2})
    file.path.write_bytes(damaged(data, file.path.read_bytes()))
    assert file.read() == {"trial": 1}


def test_a_line_says_that_the_previous_state_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = StateFile(tmp_path / "search.json")
    file.write({"trial": 1})
    file.write({"trial": 2})
    file.path.write_bytes(b"")
    file.read()
    assert capsys.readouterr().out == f"  {file.path} is broken; resumes from the previous state\n"


def test_where_both_are_broken_a_line_says_what_to_do(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "search.json")
    file.write({"trial": 1})
    file.write({"trial": 2})
    for path in (file.path, file.before):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError) as caught:
        file.read()
    assert str(caught.value) == (
        f"{file.path}: expected the state of a search, found a broken file; remove {tmp_path} to begin anew"
    )


@pytest.mark.parametrize("where", ["before the new one has its name", "when it has it"])
def test_a_kill_while_a_state_is_written_leaves_the_last_or_the_new(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(tmp_path / "search.json")
    file.write({"trial": 1})
    original = state.atomic.write_bytes

    def killed(path: Path, data: bytes) -> None:
        if where == "when it has it":
            original(path, data)
        raise Killed

    monkeypatch.setattr(state.atomic, "write_bytes", killed)
    with pytest.raises(Killed):
        file.write({"trial": 2})
    assert file.read() == {"trial": 2 if where == "when it has it" else 1}
