"""What the tests of train share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, LossSettings, ModelSettings, MseLoss
from schemas.recipe.recipe import TrainSection
from schemas.recipe.settings import TrainSettings

# Everything that a recipe may ask for, at once: labels, average, schedule, warm-ups, decay, clipping, batch normalisation,
# changes of the images.
EVERYTHING: dict[str, Any] = {
    "model": ConvModel(
        network="conv",
        latent_dim=2,
        encoder=((4, 2),),
        decoder=((4, 2),),
        base_filters=3,
        batch_norm="before",
        log_variance_limit=(-6.0, 3.0),
        conditional=True,
    ),
    "loss": MseLoss(likelihood="mse", kl_warmup_epochs=3, free_bits=0.05),
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "clip_norm": 1.0,
    "ema": 0.8,
    "augment": {"flip": True, "shift": 0.2},
}


@pytest.fixture(scope="session")
def make_settings(tiny_model: DenseModel) -> Callable[..., TrainSettings]:
    """Return Settings of a short, deterministic training: ``make_settings(epochs=3, learning_rate=0.1)``."""
    bernoulli = BernoulliLoss(likelihood="bernoulli")

    def make(*, model: ModelSettings = tiny_model, loss: LossSettings = bernoulli, **changes: Any) -> TrainSettings:
        values = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "deterministic": True, **changes}
        return TrainSettings(seed=3, model=model, loss=loss, train=TrainSection(**values))

    return make


@pytest.fixture(scope="session")
def open_model() -> Callable[[Path], Model]:
    """Return a place for a model, as the pipeline makes it for its stage."""
    from helpers.recorded_training import open_model

    return open_model


@pytest.fixture(scope="session")
def everything(make_settings: Callable[..., TrainSettings]) -> Callable[..., TrainSettings]:
    """Return Settings of four epochs with every setting on, or with changes: ``everything(ema=None)``."""
    return lambda **changes: make_settings(**{"epochs": 4, **EVERYTHING, **changes})


@pytest.fixture(scope="session")
def reference(
    labelled_examples: Examples, everything: Callable[..., TrainSettings], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Return the recorded training with every setting on, of four epochs of four steps."""
    from helpers.recorded_training import record_training

    return record_training(labelled_examples, tmp_path_factory.mktemp("reference"), everything())


@pytest.fixture(scope="session")
def restless() -> dict[str, Any]:
    """Return Settings with which a training soon stops early: the learning rate is far too high."""
    return {"epochs": 60, "learning_rate": 0.3, "patience": 2}


@pytest.fixture(scope="session")
def stopped(
    tiny_examples: Examples,
    make_settings: Callable[..., TrainSettings],
    restless: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Return a recorded training that early stopping ended."""
    from helpers.recorded_training import record_training

    return record_training(tiny_examples, tmp_path_factory.mktemp("stopped"), make_settings(**restless))
