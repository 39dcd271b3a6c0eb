"""A training that was interrupted, wherever, ends with the same files as one that was not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.train import fit
from components.train.component import train
from components.train.state import TrainingState
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.model import ConvModel, MseLoss
from schemas.recipe.settings import TrainSettings

MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]
EPOCHS = 4
STEPS = 4  # per epoch
# Whatever a recipe may ask for, at once: average, schedule, warm-ups, decay, clipping, and batch normalisation.
EVERYTHING: dict[str, Any] = {
    "model": ConvModel(
        network="conv",
        encoder=((4, 2),),
        decoder=((4, 2),),
        base_filters=3,
        batch_norm="before",
        log_variance_limit=(-6.0, 3.0),
    ),
    "loss": MseLoss(likelihood="mse", kl_warmup_epochs=3, free_bits=0.05),
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "clip_norm": 1.0,
    "ema": 0.9,
}


class Killed(BaseException):
    """Stands for a kill: nothing in the project catches it."""


def files(model: Model) -> dict[str, bytes]:
    """What must not depend on interruptions: everything but the logs, which hold wall-clock times."""
    return {
        path.relative_to(model.path).as_posix(): path.read_bytes()
        for path in model.path.rglob("*")
        if path.is_file() and model.logs_path not in path.parents
    }


@pytest.fixture(scope="module")
def undisturbed(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, bytes]:
    """The files of a training that nobody interrupted."""
    model = open_model(tmp_path_factory.mktemp("undisturbed"))
    train(tiny_examples, None, model, make_settings(epochs=EPOCHS))
    return files(model)


@pytest.fixture(scope="module")
def undisturbed_with_everything(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, bytes], TrainingState]:
    """The same with every setting on, and where that training stands at its end."""
    model = open_model(tmp_path_factory.mktemp("everything"))
    train(tiny_examples, None, model, make_settings(epochs=EPOCHS, **EVERYTHING))
    return files(model), state_of(model)


def kill_in(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, call: int, after: bool = False) -> None:
    """Kills at the call with this number, from 1, of a function: before it does anything, or when it has done it."""
    original = getattr(owner, name)
    calls = 0

    def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        found = original(*arguments, **named)
        if calls == call:
            raise Killed
        return found

    monkeypatch.setattr(owner, name, deadly)


def state_of(model: Model) -> TrainingState:
    """Where the training stands."""
    return TrainingState.read(model.work / "state.npz")


@pytest.mark.parametrize("epochs", [1, 3, EPOCHS])
def test_a_training_killed_after_an_epoch_goes_on_as_if_nothing_had_happened(
    epochs: int,
    undisturbed: dict[str, bytes],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, settings = open_model(tmp_path), make_settings(epochs=EPOCHS)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_in(patch, TrainingState, "write", call=epochs, after=True)
        train(tiny_examples, None, model, settings)
    assert state_of(model).epochs == epochs
    assert all(name.startswith("progress/") for name in files(model))
    counts = train(tiny_examples, None, model, settings)
    assert counts["epochs"] == EPOCHS
    assert files(model) == undisturbed


@pytest.mark.parametrize(("step", "finished"), [(2, 0), (2 * STEPS + 3, 2)])
def test_a_training_killed_inside_an_epoch_does_that_epoch_again(
    step: int,
    finished: int,
    undisturbed: dict[str, bytes],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, settings = open_model(tmp_path), make_settings(epochs=EPOCHS)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_in(patch, fit.EpochProgress, "on_train_batch_end", call=step)
        train(tiny_examples, None, model, settings)
    assert state_of(model).epochs == finished
    train(tiny_examples, None, model, settings)
    assert files(model) == undisturbed


def test_a_training_may_be_killed_again_and_again(
    undisturbed: dict[str, bytes],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, settings = open_model(tmp_path), make_settings(epochs=EPOCHS)
    for epochs in range(1, EPOCHS):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_in(patch, TrainingState, "write", call=2)  # one epoch is kept, the next is lost
            train(tiny_examples, None, model, settings)
        assert state_of(model).epochs == epochs
    train(tiny_examples, None, model, settings)
    assert files(model) == undisturbed


@pytest.mark.parametrize(("step", "finished"), [(2, 0), (STEPS + 1, 1), (3 * STEPS - 1, 2), (4 * STEPS, 3)])
def test_average_schedule_and_warm_up_go_on_where_they_stood(
    step: int,
    finished: int,
    undisturbed_with_everything: tuple[dict[str, bytes], TrainingState],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, settings = open_model(tmp_path), make_settings(epochs=EPOCHS, **EVERYTHING)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_in(patch, fit.EpochProgress, "on_train_batch_end", call=step)
        train(tiny_examples, None, model, settings)
    assert state_of(model).epochs == finished
    train(tiny_examples, None, model, settings)
    expected, state = undisturbed_with_everything
    assert files(model) == expected
    for found, want in zip(state_of(model).variables, state.variables, strict=True):
        assert found.tobytes() == want.tobytes()


@pytest.mark.parametrize("unwritten", ["save_model", "history"])
def test_a_training_killed_before_its_files_were_written_trains_no_more(
    unwritten: str,
    undisturbed: dict[str, bytes],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, settings = open_model(tmp_path), make_settings(epochs=EPOCHS)
    owner, name = (fit, "save_model") if unwritten == "save_model" else (fit.tables, "write_table")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_in(patch, owner, name, call=1)
        train(tiny_examples, None, model, settings)
    with monkeypatch.context() as patch:
        kill_in(patch, fit.VAE, "fit", call=1)  # would end the test
        train(tiny_examples, None, model, settings)
    assert files(model) == undisturbed


def test_patience_is_not_renewed_by_a_kill(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(epochs=60, learning_rate=0.3, patience=2)  # the validation loss soon rises
    whole = open_model(tmp_path / "whole")
    counts = train(tiny_examples, None, whole, settings)
    model = open_model(tmp_path / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_in(patch, TrainingState, "write", call=counts["epochs"] - 1, after=True)  # one epoch of patience is left
        train(tiny_examples, None, model, settings)
    assert train(tiny_examples, None, model, settings) == counts
    assert files(model) == files(whole)
