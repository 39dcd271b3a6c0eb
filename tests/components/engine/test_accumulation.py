"""A step in parts moves the weights as the whole batch does, and fits where the whole batch does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.by_hand import describe

from components.engine.probe import Engine, halve_batches
from models.vae import VAE
from schemas.errors import DataError
from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, LossSettings, ModelSettings, MseLoss

IMAGES, BATCH = 22, 8  # the last batch has 6
DENSE = DenseModel(network="dense", latent_dim=3, hidden=(16,))
PLAIN = MseLoss(likelihood="mse", weight=10.0, kl="none")  # a plain autoencoder: no noise, which parts draw anew


def train(*, parts: int, model: ModelSettings = DENSE, loss: LossSettings = PLAIN, **options: Any) -> tuple[VAE, Any]:
    """Return a network after two epochs, and its history."""
    keras.utils.clear_session()
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 8, 8, 1), np.uint8)
    engine = Engine(parts=parts, **options)
    vae = engine.build(model, loss, describe(), seed=1)
    engine.compile(vae, keras.optimizers.SGD(0.01))
    return vae, vae.fit(pixels, batch_size=BATCH, epochs=2, shuffle=False, verbose=0).history


@pytest.fixture(scope="module")
def whole() -> tuple[VAE, Any]:
    """Trained on whole batches."""
    return train(parts=1)


@pytest.mark.parametrize(
    ("parts", "options"),
    [(3, {}), (BATCH, {}), (2, {"jit": True, "steps": 2})],
    ids=["uneven", "single_images", "xla_and_several_steps"],
)
def test_parts_give_the_weights_and_losses_of_whole_batches(
    parts: int, options: dict[str, Any], whole: tuple[VAE, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Keras refuses XLA where ops are deterministic, because not all have a deterministic kernel there. All of these do.
    monkeypatch.setattr("keras.src.trainers.trainer.model_supports_jit", lambda model: True)
    vae, history = train(parts=parts, **options)
    for weight, expected in zip(vae.get_weights(), whole[0].get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
    for name in ("loss", "reconstruction", "kl"):
        assert history[name] == pytest.approx(whole[1][name], rel=1e-5)
    assert int(vae.optimizer.iterations) == int(whole[0].optimizer.iterations) == 6


def test_noise_and_float16_whose_loss_is_scaled_train_in_parts_too() -> None:
    model = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=3, batch_norm="before")
    _, history = train(parts=2, model=model, loss=BernoulliLoss(likelihood="bernoulli"), precision="float16")
    assert history["loss"][1] < history["loss"][0]


def test_the_last_batch_may_have_fewer_images_than_there_are_parts() -> None:
    keras.utils.clear_session()
    engine = Engine(parts=4)
    vae = engine.build(DENSE, PLAIN, describe(), seed=1)
    engine.compile(vae, keras.optimizers.SGD(0.01))
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH + 1, 8, 8, 1), np.uint8)
    history = vae.fit(pixels, batch_size=BATCH, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_out_of_memory_with_one_image_at_a_time_is_an_error_that_proposes_a_smaller_network(tmp_path: Path) -> None:
    engine = halve_batches(Engine(), batch_size=2, devices=1, path=tmp_path / "engine.json")
    assert engine == Engine(parts=2)
    with pytest.raises(DataError, match=r"^train\.batch_size: expected memory for at least one image at a time"):
        halve_batches(engine, batch_size=2, devices=1, path=tmp_path / "engine.json")


def test_out_of_memory_on_several_devices_is_an_error_that_proposes_a_smaller_batch(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^train\.batch_size: expected memory for 128 images on 4 devices, .* try 64$"):
        halve_batches(Engine(), batch_size=128, devices=4, path=tmp_path / "engine.json")
