"""The average of the weights is validated and saved; training continues with the weights themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.recorded_training import Record, Weights, open_model, recording

from components.engine.batch_norm import PreciseBatchNorm
from components.examples.dataset import batches
from components.train.component import train
from components.train.state import TrainingState
from schemas.artifacts.kinds import Examples
from schemas.recipe.settings import TrainSettings

pytestmark = pytest.mark.xdist_group("train")

EPOCHS, STEPS = 4, 4  # of the reference, and steps per epoch
DECAY = 0.8


class EnoughSeen(BaseException):
    """Ends a training after the epochs that a test compares."""


@pytest.fixture(scope="module")
def averages(reference: Record) -> list[Weights]:
    """Return the moving average after every step, by hand, in double precision; it starts where the first step leads to."""
    averages = [[value.astype(np.float64) for value in reference.steps[0]]]
    for weights in reference.steps[1:]:
        averages.append([DECAY * old + (1 - DECAY) * new for old, new in zip(averages[-1], weights, strict=True)])
    return averages


@pytest.fixture
def load(reference: Record) -> Callable[[], Any]:
    """Load the reference's model as anybody loads it."""
    return lambda: keras.models.load_model(reference.model.vae_path, safe_mode=True)


def assert_close(weights: Weights, expected: Weights) -> None:
    """Assert that weights are the same but for rounding."""
    for value, expected_value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-5)


def test_the_saved_weights_are_the_average_over_all_steps_up_to_the_best_epoch(
    reference: Record, averages: list[Weights], load: Callable[[], Any]
) -> None:
    assert len(reference.steps) == EPOCHS * STEPS
    last = reference.counts["best_epoch"] * STEPS - 1
    saved = [weight.numpy() for weight in load().trainable_variables]
    assert_close(saved, averages[last])
    assert not all(
        np.allclose(value, raw, rtol=1e-4, atol=1e-5) for value, raw in zip(saved, reference.steps[last], strict=True)
    )


def test_every_validation_sees_the_averages(reference: Record, averages: list[Weights]) -> None:
    assert len(reference.validated) == EPOCHS
    for weights, expected in zip(reference.validated, averages[STEPS - 1 :: STEPS], strict=True):
        assert_close(weights, expected)


def test_training_continues_with_the_weights_and_not_with_their_average(
    reference: Record, labelled_examples: Examples, everything: Callable[..., TrainSettings], tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    with recording(model) as without, pytest.MonkeyPatch.context() as patch, pytest.raises(EnoughSeen):
        write = TrainingState.write

        def write_twice(state: TrainingState, path: Path) -> None:
            write(state, path)
            if state.epochs == 2:
                raise EnoughSeen

        patch.setattr(TrainingState, "write", write_twice)
        train(labelled_examples, None, model, everything(ema=None))
    assert len(without.steps) == 2 * STEPS
    for step, (weights, expected) in enumerate(zip(without.steps, reference.steps, strict=False)):
        for value, expected_value in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(value, expected_value, err_msg=f"step {step}")


def test_batch_normalisations_statistics_are_measured_under_the_averages(
    load: Callable[[], Any], labelled_examples: Examples
) -> None:
    saved, measured = load(), load()
    PreciseBatchNorm(batches(labelled_examples, "train", batch_size=16, labelled=True)).measure(measured)
    moving = [
        (variable, expected)
        for variable, expected in zip(measured.encoder.variables, saved.encoder.variables, strict=True)
        if "moving" in variable.path
    ]
    assert moving
    for variable, expected in moving:  # the encoder's: the decoder's depend on noise
        np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_between_epochs_the_state_holds_both_the_averages_and_the_weights(
    reference: Record, averages: list[Weights]
) -> None:
    variables = reference.states[-1].variables
    for weights in (reference.steps[-1], averages[-1]):
        for weight in weights:
            assert any(
                value.shape == weight.shape and np.allclose(value, weight, rtol=1e-4, atol=1e-5) for value in variables
            )
