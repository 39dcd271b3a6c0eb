"""The optimizer does what the recipe's settings say: decay, schedule, clipping, average."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from components.engine.optimizer import make_optimizer
from models.build import build_vae
from schemas.artifacts.records import Statistics
from schemas.recipe.model import ConvModel, MseLoss
from schemas.recipe.recipe import TrainSection

PEAK = 0.01
STEPS = 5  # per epoch


def optimizer_for(**settings: Any) -> keras.optimizers.Optimizer:
    """Return the optimizer of a training of ten epochs."""
    return make_optimizer(TrainSection(**{"epochs": 10, "learning_rate": PEAK, **settings}), steps_per_epoch=STEPS)


def rate_at(optimizer: keras.optimizers.Optimizer, step: int) -> float:
    """Return the learning rate of a step, from 0."""
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


@pytest.fixture
def weights() -> list[keras.Variable]:
    """Two weights, at 3 and 4."""
    return [keras.Variable(np.array([value], np.float32), name=name) for value, name in [(3, "kernel"), (4, "bias")]]


@pytest.fixture
def tiny_statistics(tiny_examples: Any) -> Statistics:
    """Return what the tiny Examples say of themselves."""
    return Statistics.model_validate_json(tiny_examples.statistics_path.read_bytes())


def test_with_nothing_set_it_is_plain_adam() -> None:
    optimizer = optimizer_for()
    expected = keras.optimizers.Adam(PEAK)
    assert type(optimizer) is keras.optimizers.Adam
    assert {**optimizer.get_config(), "name": ""} == {**expected.get_config(), "name": ""}


# --- weight decay ----------------------------------------------------------------------------------------------------


def test_weight_decay_shrinks_a_kernel_by_its_share_and_leaves_a_bias_alone(weights: list[keras.Variable]) -> None:
    optimizer = optimizer_for(optimizer="adamw", weight_decay=0.1)
    optimizer.build(weights)
    optimizer.apply([np.zeros(1, np.float32)] * 2, weights)  # no gradient: what moves is decay
    kernel, bias = (float(weight.numpy()[0]) for weight in weights)
    assert kernel == pytest.approx(3 * (1 - PEAK * 0.1))
    assert bias == 4


def test_weight_decay_is_on_every_kernel_and_on_no_bias_scale_or_offset(tiny_statistics: Statistics) -> None:
    network = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), hidden=(3,), batch_norm="before")
    vae = build_vae(network, MseLoss(likelihood="mse"), tiny_statistics, seed=0)
    optimizer = optimizer_for(optimizer="adamw", weight_decay=0.1)
    optimizer.build(vae.trainable_variables)
    decayed = {weight.path for weight in vae.trainable_variables if optimizer._use_weight_decay(weight)}
    assert decayed == {weight.path for weight in vae.trainable_variables if weight.name == "kernel"}
    assert {weight.name for weight in vae.trainable_variables} == {"kernel", "bias", "gamma", "beta"}


# --- schedule --------------------------------------------------------------------------------------------------------


def test_a_constant_rate_stays() -> None:
    optimizer = optimizer_for()
    assert rate_at(optimizer, 0) == rate_at(optimizer, 49) == pytest.approx(PEAK)


def test_cosine_falls_from_the_peak_to_zero_over_all_epochs() -> None:
    optimizer = optimizer_for(schedule="cosine")
    assert rate_at(optimizer, 0) == pytest.approx(PEAK)
    assert rate_at(optimizer, 25) == pytest.approx(PEAK / 2)
    assert rate_at(optimizer, 50) == pytest.approx(0, abs=1e-9)
    assert rate_at(optimizer, 60) == pytest.approx(0, abs=1e-9)


def test_with_warm_up_cosine_first_rises_from_zero_and_still_ends_at_the_last_step() -> None:
    optimizer = optimizer_for(schedule="cosine", warmup_epochs=2)
    assert rate_at(optimizer, 0) == 0
    assert rate_at(optimizer, 1) == pytest.approx(PEAK / 10)
    assert rate_at(optimizer, 5) == pytest.approx(PEAK / 2)
    assert rate_at(optimizer, 10) == pytest.approx(PEAK)
    assert rate_at(optimizer, 30) == pytest.approx(PEAK / 2)
    assert rate_at(optimizer, 50) == pytest.approx(0, abs=1e-9)


# --- clipping and average --------------------------------------------------------------------------------------------


def test_gradients_are_clipped_by_their_length_over_all_weights() -> None:
    gradients = [np.array([3.0], np.float32), np.array([4.0], np.float32)]  # 5 long
    optimizer = optimizer_for(clip_norm=1.0)
    clipped = [float(value[0]) for value in optimizer._clip_gradients(gradients)]
    assert clipped == pytest.approx([0.6, 0.8])
    longer = optimizer_for(clip_norm=6.0)
    assert [float(value[0]) for value in longer._clip_gradients(gradients)] == pytest.approx([3.0, 4.0])


def test_the_first_moment_of_a_clipped_step_is_that_of_the_clipped_gradient(weights: list[keras.Variable]) -> None:
    optimizer = optimizer_for(clip_norm=1.0)
    optimizer.build(weights)
    optimizer.apply([np.array([3.0], np.float32), np.array([4.0], np.float32)], weights)
    moments = [float(variable.numpy()[0]) for variable in optimizer.variables if "momentum" in variable.path]
    assert moments == pytest.approx([0.1 * 0.6, 0.1 * 0.8])


def test_the_average_forgets_by_its_decay(weights: list[keras.Variable]) -> None:
    optimizer = optimizer_for(ema=0.75)
    optimizer.build(weights)
    expected: list[float] = []
    for step in range(4):
        optimizer.apply([np.ones(1, np.float32), np.ones(1, np.float32)], weights)
        now = [float(weight.numpy()[0]) for weight in weights]
        # It starts where the first step leads to.
        expected = now if step == 0 else [0.75 * old + 0.25 * new for old, new in zip(expected, now, strict=True)]
    averages = [float(variable.numpy()[0]) for variable in optimizer.variables if "average" in variable.path]
    assert averages == pytest.approx(expected, rel=1e-6)
