"""What the tests of train share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts.kinds import Model
from schemas.recipe.model import BernoulliLoss, DenseModel, LossSettings, ModelSettings
from schemas.recipe.recipe import TrainSection
from schemas.recipe.settings import TrainSettings


@pytest.fixture(scope="session")
def make_settings(tiny_model: DenseModel) -> Callable[..., TrainSettings]:
    """Settings of a short, deterministic training: ``make_settings(epochs=3, learning_rate=0.1)``."""
    bernoulli = BernoulliLoss(likelihood="bernoulli")

    def make(*, model: ModelSettings = tiny_model, loss: LossSettings = bernoulli, **changes: Any) -> TrainSettings:
        values = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "deterministic": True, **changes}
        return TrainSettings(seed=3, model=model, loss=loss, train=TrainSection(**values))

    return make


@pytest.fixture(scope="session")
def open_model() -> Callable[[Path], Model]:
    """A place for a model, as the pipeline makes it for its stage."""

    def make(folder: Path) -> Model:
        model = Model(folder / "artifact", work=folder / "work")
        model.path.mkdir(parents=True, exist_ok=True)
        model.work.mkdir(parents=True, exist_ok=True)
        return model

    return make
