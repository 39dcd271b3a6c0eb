"""What the loss makes of the KL: free bits and warm-up. What is logged, and what validation minimises, is another matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.build import build_vae
from models.kl import free_bits_kl, kl_per_dimension, warmup_weight
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, DenseModel

Array = np.ndarray[Any, Any]
MakeStatistics = Callable[..., Statistics]
DIMS = 3


def number(value: Any) -> Any:
    """A tensor as an array."""
    return np.asarray(ops.convert_to_numpy(value))


def vae_with(statistics: Statistics, **loss: Any) -> VAE:
    """A small model with such a loss."""
    settings = BernoulliLoss(likelihood="bernoulli", **loss)
    return build_vae(DenseModel(network="dense", latent_dim=DIMS, hidden=(4,)), settings, statistics, seed=5)


def test_a_dimension_counts_its_mean_over_the_batch_or_the_free_bits_whichever_is_more() -> None:
    per_dimension = np.array([[0.1, 1.0, 3.0], [0.3, 0.0, 5.0]], np.float32)  # means 0.2, 0.5 and 4
    for free_bits, expected in [(0.0, 4.7), (0.2, 4.7), (0.4, 4.9), (0.5, 5.0), (1.0, 6.0), (5.0, 15.0)]:
        assert float(number(free_bits_kl(per_dimension, free_bits=free_bits))) == pytest.approx(expected)


def test_the_kl_of_a_dimension_is_the_closed_form() -> None:
    mean, log_variance = np.array([[0.0, 2.0, 0.0]], np.float32), np.array([[0.0, 0.0, np.log(4)]], np.float32)
    expected = [[0.0, 2.0, 0.5 * (4 - 1 - np.log(4))]]
    np.testing.assert_allclose(number(kl_per_dimension(mean, log_variance)), expected, rtol=1e-6)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (1, 0.1), (5, 0.5), (10, 1.0), (11, 1.0), (1000, 1.0)])
def test_the_weight_rises_linearly_and_then_stays_1(step: int, weight: float) -> None:
    assert float(number(warmup_weight(np.int64(step), steps=10))) == pytest.approx(weight)


@pytest.mark.parametrize("kl", ["sum", "mean"])
def test_with_free_bits_the_loss_has_the_clamped_kl_and_the_log_the_true_one(
    make_statistics: MakeStatistics, make_pixels: Any, kl: str
) -> None:
    statistics = make_statistics(4, 4, 1)
    vae = vae_with(statistics, free_bits=0.7, kl=kl)
    made = vae(make_pixels(statistics, 6), training=True)
    mean, log_var = number(made["mean"]).astype(np.float64), number(made["log_variance"]).astype(np.float64)
    per_dimension = 0.5 * (np.square(mean) + np.exp(log_var) - log_var - 1)
    assert (per_dimension.mean(axis=0) < 0.7).any(), "the clamp has nothing to do"
    term = np.maximum(per_dimension.mean(axis=0), 0.7).sum() / (DIMS if kl == "mean" else 1)
    reconstruction = number(vae.likelihood.loss(made["targets"], made["outputs"])).mean()
    for training in (True, False):
        vae.kl_tracker.reset_state()
        loss = float(number(vae.compute_loss(y_pred=made, training=training)))
        assert loss == pytest.approx(reconstruction + term, rel=1e-6)
        assert float(vae.kl_tracker.result()) == pytest.approx(per_dimension.sum(axis=1).mean(), rel=1e-5)


def test_warm_up_weighs_the_kl_in_training_and_not_in_validation(
    make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(4, 4, 1)
    vae, pixels = vae_with(statistics), make_pixels(statistics, 6)
    vae.kl_warmup_steps = 4
    vae.compile(optimizer=keras.optimizers.Adam(0.0), jit_compile=False)  # the weights stay, so that losses compare
    vae.optimizer.build(vae.trainable_variables)
    made = vae(pixels, training=False)
    reconstruction = number(vae.likelihood.loss(made["targets"], made["outputs"])).mean()
    kl = number(kl_per_dimension(made["mean"], made["log_variance"])).sum(axis=1).mean()
    for step, weight in enumerate([0.0, 0.25, 0.5, 0.75, 1.0, 1.0]):
        vae.optimizer.iterations.assign(step)
        in_training = float(number(vae.compute_loss(y_pred=made, training=True)))
        in_validation = float(number(vae.compute_loss(y_pred=made, training=False)))
        assert in_training == pytest.approx(reconstruction + weight * kl, rel=1e-5)
        assert in_validation == pytest.approx(reconstruction + kl, rel=1e-5)


def test_a_step_of_training_moves_the_weight_on(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(4, 4, 1)
    vae, pixels = vae_with(statistics), make_pixels(statistics, 6)
    vae.kl_warmup_steps = 2
    vae.compile(optimizer=keras.optimizers.Adam(0.0), jit_compile=False)
    found = []
    for _ in range(4):
        logs = vae.train_on_batch(pixels, return_dict=True)
        found.append((logs["loss"] - logs["reconstruction"]) / logs["kl"])
        vae.reset_metrics()
    assert found == pytest.approx([0.0, 0.5, 1.0, 1.0], abs=1e-3)


def test_without_free_bits_the_configuration_says_nothing_of_them(make_statistics: MakeStatistics) -> None:
    # So that models trained before have the bytes that they had.
    assert "free_bits" not in vae_with(make_statistics(4, 4, 1)).get_config()
    assert vae_with(make_statistics(4, 4, 1), free_bits=0.5).get_config()["free_bits"] == 0.5
