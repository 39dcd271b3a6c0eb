"""The average of the weights is what is judged and kept; training goes on with the weights themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest

from components.engine.batch_norm import PreciseBatchNorm
from components.examples.dataset import batches
from components.train import fit
from components.train.component import train
from components.train.state import TrainingState
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.model import ConvModel, MseLoss
from schemas.recipe.settings import TrainSettings

Weights = list[np.ndarray[Any, Any]]
MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]
EPOCHS = 2
STEPS = 4  # per epoch
DECAY = 0.8
WITH_BATCH_NORM = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=3, batch_norm="before")


@pytest.fixture
def trajectory(monkeypatch: pytest.MonkeyPatch) -> list[Weights]:
    """The trainable weights after every step of the trainings of a test."""
    seen: list[Weights] = []
    original = fit.EpochProgress.on_train_batch_end

    def record(self: Any, batch: int, logs: Any = None) -> None:
        seen.append([weight.numpy() for weight in self.model.trainable_variables])
        original(self, batch, logs)

    monkeypatch.setattr(fit.EpochProgress, "on_train_batch_end", record)
    return seen


def averages(trajectory: list[Weights]) -> list[Weights]:
    """The moving average after every step, by hand, in double precision; it starts where the first step leads to."""
    found = [[value.astype(np.float64) for value in trajectory[0]]]
    for weights in trajectory[1:]:
        found.append([DECAY * old + (1 - DECAY) * new for old, new in zip(found[-1], weights, strict=True)])
    return found


def load(model: Model) -> Any:
    """The model as anybody loads it."""
    return keras.models.load_model(model.vae_path, safe_mode=True)


def test_the_saved_weights_are_the_average_over_all_steps_up_to_the_best_epoch(
    trajectory: list[Weights],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
) -> None:
    model = open_model(tmp_path)
    counts = train(tiny_examples, None, model, make_settings(epochs=EPOCHS, ema=DECAY))
    assert len(trajectory) == EPOCHS * STEPS
    last = counts["best_epoch"] * STEPS - 1
    for saved, average, raw in zip(
        load(model).trainable_variables, averages(trajectory)[last], trajectory[last], strict=True
    ):
        np.testing.assert_allclose(saved.numpy(), average, rtol=1e-5, atol=1e-6)
        assert not np.allclose(saved.numpy(), raw, rtol=1e-5, atol=1e-6)


def test_training_goes_on_with_the_weights_as_if_there_were_no_average(
    trajectory: list[Weights],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
) -> None:
    for ema in (None, DECAY):
        train(tiny_examples, None, open_model(tmp_path / str(ema)), make_settings(epochs=EPOCHS, ema=ema))
    without, with_average = trajectory[: EPOCHS * STEPS], trajectory[EPOCHS * STEPS :]
    assert len(with_average) == EPOCHS * STEPS
    for step, (expected, found) in enumerate(zip(without, with_average, strict=True)):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(other, one, err_msg=f"step {step}")


def test_the_validation_loss_is_that_of_the_averages(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    losses = {}
    for ema in (None, 0.999):  # so slow that the averages hardly leave the first step
        model = open_model(tmp_path / str(ema))
        train(tiny_examples, None, model, make_settings(epochs=4, ema=ema, learning_rate=0.05))
        losses[ema] = pq.read_table(model.history_path)["val_loss"].to_pylist()
    assert losses[0.999][-1] > losses[None][-1] + 1
    assert losses[0.999][-1] == pytest.approx(losses[0.999][0], rel=0.02)


def test_batch_normalisations_statistics_are_measured_under_the_averages(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    settings = make_settings(
        epochs=EPOCHS, ema=DECAY, learning_rate=0.05, model=WITH_BATCH_NORM, loss=MseLoss(likelihood="mse")
    )
    train(tiny_examples, None, model, settings)
    saved, again = load(model), load(model)
    PreciseBatchNorm(batches(tiny_examples, "train", batch_size=16)).measure(again)
    moving = [
        (one, other)
        for one, other in zip(saved.encoder.variables, again.encoder.variables, strict=True)
        if "moving" in one.path
    ]
    assert moving
    for one, other in moving:  # the encoder's: the decoder's depend on noise
        np.testing.assert_allclose(other.numpy(), one.numpy(), rtol=1e-4, atol=1e-5)


def test_between_epochs_the_state_holds_both_the_averages_and_the_weights(
    trajectory: list[Weights],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
) -> None:
    model = open_model(tmp_path)
    train(tiny_examples, None, model, make_settings(epochs=EPOCHS, ema=DECAY))
    state = TrainingState.read(model.work / "state.npz").variables
    for weights in (trajectory[-1], averages(trajectory)[-1]):
        for weight in weights:
            assert any(
                value.shape == weight.shape and np.allclose(value, weight, rtol=1e-5, atol=1e-6) for value in state
            )
