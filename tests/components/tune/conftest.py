"""What the tests of tune share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts.kinds import HyperParameters
from schemas.recipe.model import BernoulliLoss, DenseModel
from schemas.recipe.recipe import TrainSection, TuneSection
from schemas.recipe.settings import TuneSettings

SPACE = {"model.latent_dim": [2, 3, 4], "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}


@pytest.fixture(scope="session")
def make_settings(tiny_model: DenseModel) -> Callable[..., TuneSettings]:
    """Return Settings of a short search: ``make_settings(seed=1, oracle="bayesian", max_trials=9)``."""

    def make(*, seed: int = 3, train: dict[str, Any] | None = None, **changes: Any) -> TuneSettings:
        return TuneSettings(
            seed=seed,
            model=tiny_model,
            loss=BernoulliLoss(likelihood="bernoulli"),
            tune=TuneSection(**{"max_trials": 5, "epochs": 1, "space": SPACE, **changes}),
            train=TrainSection(**{"batch_size": 16, "deterministic": True, **(train or {})}),
        )

    return make


@pytest.fixture(scope="session")
def open_hyperparameters() -> Callable[[Path], HyperParameters]:
    """Return a place for a search's results, as the pipeline makes it for its stage."""

    def make(folder: Path) -> HyperParameters:
        hyperparameters = HyperParameters(folder / "artifact", work=folder / "work")
        hyperparameters.path.mkdir(parents=True, exist_ok=True)
        hyperparameters.work.mkdir(parents=True, exist_ok=True)
        return hyperparameters

    return make
