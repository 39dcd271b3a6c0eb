"""A training that was interrupted at any moment ends with the same files as one that was not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.recorded_training import Record, files, recording

from components.train.component import train
from components.train.state import TrainingState
from models.vae import VAE
from schemas.artifacts.kinds import Examples
from schemas.recipe.settings import TrainSettings

pytestmark = pytest.mark.xdist_group("train")

EPOCHS, STEPS = 4, 4  # of the reference, and steps per epoch


def assert_same_state(state: TrainingState, expected: TrainingState) -> None:
    """Assert that everything is the same, arrays to the bit."""
    for name in ("epochs", "best", "best_epoch", "wait", "stopped", "history"):
        assert getattr(state, name) == getattr(expected, name), name
    for name in ("variables", "best_weights"):
        arrays, expected_arrays = getattr(state, name), getattr(expected, name)
        assert [array.tobytes() for array in arrays] == [array.tobytes() for array in expected_arrays], name


@pytest.mark.parametrize(
    ("moment", "finished"),
    [("epoch 1", 1), (f"step {3 * STEPS + 3}", 3)],
    ids=["after_an_epoch", "inside_the_last_epoch"],
)
def test_a_training_killed_at_any_moment_resumes_after_the_last_finished_epoch_and_ends_the_same(
    moment: str,
    finished: int,
    reference: Record,
    labelled_examples: Examples,
    everything: Callable[..., TrainSettings],
    tmp_path: Path,
) -> None:
    model = reference.restore(moment, tmp_path)
    assert TrainingState.read(model.work / "state.npz").epochs == finished
    assert all(name.startswith("progress/") for name in files(model))
    with recording(model) as resumed:
        assert train(labelled_examples, None, model, everything()) == reference.counts
    assert len(resumed.steps) == (EPOCHS - finished) * STEPS
    # After each epoch it stands where the reference stood: so a second kill changes nothing either.
    for state, expected in zip(resumed.states, reference.states[finished:], strict=True):
        assert_same_state(state, expected)
    assert files(model) == files(reference.model)


@pytest.mark.parametrize("moment", [f"epoch {EPOCHS}", "model", "history"])
def test_a_training_killed_before_its_files_were_written_only_writes_them(
    moment: str,
    reference: Record,
    labelled_examples: Examples,
    everything: Callable[..., TrainSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_training(*_: Any, **__: Any) -> None:
        raise AssertionError("all epochs are finished: expected no training")

    model = reference.restore(moment, tmp_path)
    monkeypatch.setattr(VAE, "fit", no_training)
    assert train(labelled_examples, None, model, everything()) == reference.counts
    assert files(model) == files(reference.model)


def test_patience_is_not_renewed_by_a_kill(
    stopped: Record,
    tiny_examples: Examples,
    make_settings: Callable[..., TrainSettings],
    restless: dict[str, Any],
    tmp_path: Path,
) -> None:
    model = stopped.restore(f"epoch {stopped.counts['epochs'] - 1}", tmp_path)  # one epoch of patience is left
    assert train(tiny_examples, None, model, make_settings(**restless)) == stopped.counts
    assert files(model) == files(stopped.model)
