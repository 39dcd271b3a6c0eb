"""Free bits and warm-up change the KL term in the loss, and not the KL in the logs nor, with warm-up, the validation loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from helpers.tensors import to_numpy

from models.build import build_vae
from models.kl import free_bits_kl, kl_per_dimension, warmup_weight
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, DenseModel

Array = np.ndarray[Any, Any]
MakeStatistics = Callable[..., Statistics]
DIMS = 3


def vae_with(statistics: Statistics, **loss: Any) -> VAE:
    """Build a small model with these settings of the loss."""
    settings = BernoulliLoss(likelihood="bernoulli", **loss)
    return build_vae(DenseModel(network="dense", latent_dim=DIMS, hidden=(4,)), settings, statistics, seed=5)


def test_a_dimension_adds_its_mean_over_the_batch_and_at_least_the_free_bits() -> None:
    per_dimension = np.array([[0.1, 1.0, 3.0], [0.3, 0.0, 5.0]], np.float32)  # means 0.2, 0.5 and 4
    for free_bits, expected in [(0.0, 4.7), (0.2, 4.7), (0.4, 4.9), (0.5, 5.0), (1.0, 6.0), (5.0, 15.0)]:
        assert float(to_numpy(free_bits_kl(per_dimension, free_bits=free_bits))) == pytest.approx(expected)


def test_the_kl_of_a_dimension_is_the_closed_form() -> None:
    mean, log_variance = np.array([[0.0, 2.0, 0.0]], np.float32), np.array([[0.0, 0.0, np.log(4)]], np.float32)
    expected = [[0.0, 2.0, 0.5 * (4 - 1 - np.log(4))]]
    np.testing.assert_allclose(to_numpy(kl_per_dimension(mean, log_variance)), expected, rtol=1e-6)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (1, 0.1), (5, 0.5), (10, 1.0), (11, 1.0), (1000, 1.0)])
def test_the_weight_rises_linearly_and_then_stays_1(step: int, weight: float) -> None:
    assert float(to_numpy(warmup_weight(np.int64(step), steps=10))) == pytest.approx(weight)


@pytest.mark.parametrize("kl", ["sum", "mean"])
def test_free_bits_change_the_kl_in_the_loss_and_not_in_the_log(
    make_statistics: MakeStatistics, make_pixels: Any, kl: str
) -> None:
    statistics = make_statistics(4, 4, 1)
    vae = vae_with(statistics, free_bits=0.7, kl=kl)
    batch = vae(make_pixels(statistics, 6), training=True)
    mean, log_var = to_numpy(batch["mean"]).astype(np.float64), to_numpy(batch["log_variance"]).astype(np.float64)
    per_dimension = 0.5 * (np.square(mean) + np.exp(log_var) - log_var - 1)
    assert (per_dimension.mean(axis=0) < 0.7).any(), "free bits would change nothing"
    term = np.maximum(per_dimension.mean(axis=0), 0.7).sum() / (DIMS if kl == "mean" else 1)
    reconstruction = to_numpy(vae.likelihood.loss(batch["targets"], batch["outputs"])).mean()
    for training in (True, False):
        vae.kl_tracker.reset_state()
        loss = float(to_numpy(vae.compute_loss(y_pred=batch, training=training)))
        assert loss == pytest.approx(reconstruction + term, rel=1e-6)
        assert float(vae.kl_tracker.result()) == pytest.approx(per_dimension.sum(axis=1).mean(), rel=1e-5)


def test_warm_up_changes_the_kls_weight_in_training_and_not_in_validation(
    make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(4, 4, 1)
    vae, pixels = vae_with(statistics), make_pixels(statistics, 6)
    vae.kl_warmup_steps = 4
    vae.compile(
        optimizer=keras.optimizers.Adam(0.0), jit_compile=False
    )  # a learning rate of 0 keeps the weights, so that losses can be compared
    vae.optimizer.build(vae.trainable_variables)
    batch = vae(pixels, training=False)
    reconstruction = to_numpy(vae.likelihood.loss(batch["targets"], batch["outputs"])).mean()
    kl = to_numpy(kl_per_dimension(batch["mean"], batch["log_variance"])).sum(axis=1).mean()
    for step, weight in enumerate([0.0, 0.25, 0.5, 0.75, 1.0, 1.0]):
        vae.optimizer.iterations.assign(step)
        in_training = float(to_numpy(vae.compute_loss(y_pred=batch, training=True)))
        in_validation = float(to_numpy(vae.compute_loss(y_pred=batch, training=False)))
        assert in_training == pytest.approx(reconstruction + weight * kl, rel=1e-5)
        assert in_validation == pytest.approx(reconstruction + kl, rel=1e-5)


def test_each_training_step_raises_the_kls_weight(make_statistics: MakeStatistics, make_pixels: Any) -> None:
    statistics = make_statistics(4, 4, 1)
    vae, pixels = vae_with(statistics), make_pixels(statistics, 6)
    vae.kl_warmup_steps = 2
    vae.compile(optimizer=keras.optimizers.Adam(0.0), jit_compile=False)
    weights = []
    for _ in range(4):
        logs = vae.train_on_batch(pixels, return_dict=True)
        weights.append((logs["loss"] - logs["reconstruction"]) / logs["kl"])
        vae.reset_metrics()
    assert weights == pytest.approx([0.0, 0.5, 1.0, 1.0], abs=1e-3)


def test_without_free_bits_the_configuration_does_not_name_them(make_statistics: MakeStatistics) -> None:
    # So that the files of models without free bits do not change.
    assert "free_bits" not in vae_with(make_statistics(4, 4, 1)).get_config()
    assert vae_with(make_statistics(4, 4, 1), free_bits=0.5).get_config()["free_bits"] == 0.5
