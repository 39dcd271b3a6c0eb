"""The file from which a training resumes."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from components.train.state import TrainingState, before
from schemas.errors import DataError

finite = st.floats(allow_nan=False, allow_infinity=False)
# What Keras's variables are made of: weights, counters, random states, scalars.
some_arrays = st.lists(
    st.sampled_from([np.float32, np.int32, np.int64, np.uint32]).flatmap(
        lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    ),
    max_size=12,
)
rows = st.fixed_dictionaries({"epoch": st.integers(1, 1000), "loss": finite, "val_loss": finite})
states = st.builds(
    TrainingState,
    epochs=st.integers(0, 1000),
    best=st.none() | finite,
    best_epoch=st.integers(0, 1000),
    wait=st.integers(0, 1000),
    stopped=st.booleans(),
    history=st.lists(rows, max_size=4),
    variables=some_arrays,
    best_weights=some_arrays,
)


def assert_same(arrays: list[np.ndarray[Any, Any]], expected: list[np.ndarray[Any, Any]]) -> None:
    """Check that the arrays are the same, in the same order, of the same types, to the bit."""
    assert [(value.dtype, value.shape) for value in arrays] == [(value.dtype, value.shape) for value in expected]
    assert [value.tobytes() for value in arrays] == [value.tobytes() for value in expected]


@given(state=states)
def test_a_state_that_was_written_is_read_as_it_was(state: TrainingState, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("state") / "state.npz"
    state.write(path)
    read = TrainingState.read(path)
    for name in ("epochs", "best", "best_epoch", "wait", "stopped", "history"):
        assert getattr(read, name) == getattr(state, name)
    assert_same(read.variables, state.variables)
    assert_same(read.best_weights, state.best_weights)


def test_more_than_ten_arrays_keep_their_order(tmp_path: Path) -> None:
    numbers = [np.array(number) for number in range(120)]
    TrainingState(variables=numbers, best_weights=numbers[::-1]).write(tmp_path / "state.npz")
    state = TrainingState.read(tmp_path / "state.npz")
    assert_same(state.variables, numbers)
    assert_same(state.best_weights, numbers[::-1])


def test_without_a_file_training_starts_from_the_beginning(tmp_path: Path) -> None:
    assert TrainingState.read(tmp_path / "state.npz") == TrainingState(epochs=0, best=None, stopped=False)


def test_a_write_that_fails_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.npz"
    TrainingState(epochs=1).write(path)

    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        TrainingState(epochs=2).write(path)
    monkeypatch.undo()
    assert TrainingState.read(path).epochs == 1
    assert [file.name for file in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_state_that_was_cut_short_is_an_error_that_names_the_file(share: float, tmp_path: Path) -> None:
    # No kill does this, but a disk or a person can. The same command would fail the same way for ever.
    path = tmp_path / "state.npz"
    TrainingState(epochs=1, variables=[np.zeros(1000)]).write(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises((DataError, OSError, EOFError, ValueError, BadZipFile)) as caught:
        TrainingState.read(path)
    kind, message = caught.type, str(caught.value)
    del caught
    gc.collect()
    assert kind is DataError
    assert message.startswith(f"{path}: expected ")


def test_the_previous_state_stays_beside_the_last(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    for epochs in (1, 2, 3):
        TrainingState(epochs=epochs).write(path)
    assert (TrainingState.read(path).epochs, TrainingState.read(before(path)).epochs) == (3, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["before-state.npz", "state.npz"]


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_broken_state_costs_one_epoch(tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.npz"
    for epochs in (1, 2):
        TrainingState(epochs=epochs).write(path)
    path.write_bytes(path.read_bytes()[:size])
    assert TrainingState.read(path).epochs == 1
    assert "resumes from the previous one" in capsys.readouterr().out


def test_a_kill_between_the_two_names_costs_one_epoch(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    TrainingState(epochs=1).write(path)
    path.rename(before(path))
    assert TrainingState.read(path).epochs == 1
