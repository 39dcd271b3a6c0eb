"""The limit of the log-variance is part of the network, and adds nothing to a network without a limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, ModelSettings

MakeStatistics = Callable[..., Statistics]
LIMIT = (-3.0, 2.0)
NETWORKS: dict[str, ModelSettings] = {
    "dense": DenseModel(network="dense", hidden=(4,)),
    "conv": ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=3),
}
each_network = pytest.mark.parametrize("network", NETWORKS)


def build(network: str, statistics: Statistics, *, limit: tuple[float, float] | None, factor: float) -> VAE:
    """Build a model, and multiply the weights of its log-variance layer by a factor."""
    settings = NETWORKS[network].model_copy(update={"log_variance_limit": limit})
    vae = build_vae(settings, BernoulliLoss(likelihood="bernoulli"), statistics, seed=5)
    kernel = vae.encoder.get_layer("log_variance").kernel
    kernel.assign(kernel.numpy() * factor)
    return vae


def log_variance(vae: VAE, pixels: Any) -> np.ndarray[Any, Any]:
    """Return the log-variance of the images' posteriors: [B, D]."""
    return np.asarray(ops.convert_to_numpy(vae.encode(pixels)[1]))


@each_network
def test_the_log_variance_stays_within_its_limit_however_large_the_activations(
    network: str, make_statistics: MakeStatistics, make_pixels: Any, tmp_path: Path
) -> None:
    statistics = make_statistics(4, 4, 1)
    pixels = make_pixels(statistics, 32)
    unlimited = build(network, statistics, limit=None, factor=1e6)
    assert np.abs(log_variance(unlimited, pixels)).max() > 1e4
    vae = build(network, statistics, limit=LIMIT, factor=1e6)
    vae.save(tmp_path / "vae.keras")
    for model in (vae, keras.models.load_model(tmp_path / "vae.keras", safe_mode=True)):
        values = log_variance(model, pixels)
        assert values.min() == LIMIT[0]
        assert values.max() == LIMIT[1]
        assert np.isfinite(ops.convert_to_numpy(model(pixels, training=True)["outputs"])).all()


@each_network
def test_a_posterior_within_the_limit_does_not_change(
    network: str, make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(4, 4, 1)
    pixels = make_pixels(statistics, 8)
    unlimited, limited = (build(network, statistics, limit=limit, factor=1.0) for limit in (None, (-30.0, 20.0)))
    np.testing.assert_array_equal(log_variance(limited, pixels), log_variance(unlimited, pixels))


@each_network
def test_a_network_without_a_limit_has_no_extra_layer(network: str, make_statistics: MakeStatistics) -> None:
    unlimited, limited = (build(network, make_statistics(4, 4, 1), limit=limit, factor=1.0) for limit in (None, LIMIT))
    assert len(limited.encoder.operations) == len(unlimited.encoder.operations) + 1
    assert unlimited.encoder.count_params() == limited.encoder.count_params()
