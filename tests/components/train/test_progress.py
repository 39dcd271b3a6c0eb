"""A training that is lost: the step's images are written down, whether steps are called one by one or several at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.examples.dataset import keys_of_batches
from components.train.progress import StopWhenLost, print_epochs
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError

BATCH = 4


@pytest.fixture
def stop(tiny_examples: Examples, tmp_path: Path) -> StopWhenLost:
    """In the second epoch."""
    callback = StopWhenLost(tiny_examples, batch_size=BATCH, seed=3, learning_rate=0.5, path=tmp_path / "lost.txt")
    callback.on_epoch_begin(1)
    return callback


@pytest.mark.parametrize("steps", [1, 3])
def test_the_images_of_the_lost_steps_are_written_down(stop: StopWhenLost, tiny_examples: Examples, steps: int) -> None:
    stop.on_train_batch_end(steps - 1, {"loss": 7.0})
    with pytest.raises(DataError, match=f"found nan at step {2 * steps} with 0.5; try 0.05; the images of that step: "):
        stop.on_train_batch_end(2 * steps - 1, {"loss": float("nan")})
    lost = keys_of_batches(tiny_examples, batch_size=BATCH, seed=3, epoch=1, first=steps, count=steps)
    assert stop.path.read_text().splitlines() == lost
    assert len(lost) == BATCH * steps


def test_a_loss_that_is_a_number_is_left_alone(stop: StopWhenLost) -> None:
    stop.on_train_batch_end(0, {"loss": 7.0})
    stop.on_epoch_end(1, {"loss": 7.0, "val_loss": 8.0})
    assert not stop.path.exists()


def test_a_lost_validation_ends_the_training(stop: StopWhenLost) -> None:
    with pytest.raises(DataError, match="expected a validation loss that stays finite, found inf after epoch 2"):
        stop.on_epoch_end(1, {"loss": 7.0, "val_loss": float("inf")})


def test_a_table_shows_the_first_best_and_last_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("loss", "reconstruction", "kl", "val_loss", "val_reconstruction", "val_kl")
    history = [dict.fromkeys(names, float(epoch)) for epoch in range(1, 6)]
    print_epochs(history, best=2, stopped=True)
    output = capsys.readouterr().out
    assert "best    epoch 3 of 5 (stopped early: no later epoch was better); its weights are saved" in output
    assert [line.split()[:3] for line in output.splitlines()[2:]] == [
        ["first", "epoch", "1"],
        ["best", "epoch", "3"],
        ["last", "epoch", "5"],
    ]
    print_epochs(history[:1], best=0, stopped=False)
    assert len(capsys.readouterr().out.splitlines()) == 3
