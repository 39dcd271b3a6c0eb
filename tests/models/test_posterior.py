"""The clamp on the log-variance: part of the network, and no part of one that has none."""

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
    """A model whose log-variance layer has such large weights that its values run away."""
    settings = NETWORKS[network].model_copy(update={"log_variance_limit": limit})
    vae = build_vae(settings, BernoulliLoss(likelihood="bernoulli"), statistics, seed=5)
    kernel = vae.encoder.get_layer("log_variance").kernel
    kernel.assign(kernel.numpy() * factor)
    return vae


def log_variance(vae: VAE, pixels: Any) -> np.ndarray[Any, Any]:
    """Of the posteriors of some images: [B, D]."""
    return np.asarray(ops.convert_to_numpy(vae.encode(pixels)[1]))


@each_network
def test_the_log_variance_stays_within_its_limit_however_large_the_activations(
    network: str, make_statistics: MakeStatistics, make_pixels: Any, tmp_path: Path
) -> None:
    statistics = make_statistics(4, 4, 1)
    pixels = make_pixels(statistics, 32)
    free = build(network, statistics, limit=None, factor=1e6)
    assert np.abs(log_variance(free, pixels)).max() > 1e4
    vae = build(network, statistics, limit=LIMIT, factor=1e6)
    vae.save(tmp_path / "vae.keras")
    for model in (vae, keras.models.load_model(tmp_path / "vae.keras", safe_mode=True)):
        found = log_variance(model, pixels)
        assert found.min() == LIMIT[0]
        assert found.max() == LIMIT[1]
        assert np.isfinite(ops.convert_to_numpy(model(pixels, training=True)["outputs"])).all()


@each_network
def test_within_its_limit_a_posterior_is_what_it_was(
    network: str, make_statistics: MakeStatistics, make_pixels: Any
) -> None:
    statistics = make_statistics(4, 4, 1)
    pixels = make_pixels(statistics, 8)
    free, limited = (build(network, statistics, limit=limit, factor=1.0) for limit in (None, (-30.0, 20.0)))
    np.testing.assert_array_equal(log_variance(limited, pixels), log_variance(free, pixels))


@each_network
def test_without_a_limit_the_network_has_no_layer_more(network: str, make_statistics: MakeStatistics) -> None:
    free, limited = (build(network, make_statistics(4, 4, 1), limit=limit, factor=1.0) for limit in (None, LIMIT))
    assert len(limited.encoder.operations) == len(free.encoder.operations) + 1
    assert free.encoder.count_params() == limited.encoder.count_params()
