"""One trial, with a real training: by what it is judged, how it fails, and what a broken shard does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm

from components.dataset import batches
from components.tune.component import tune
from components.tune.trial import TrialFailed, run_trial, validation_elbo
from models.noise import standard_normal
from schemas.artifacts import Examples, HyperParameters
from schemas.errors import DataError
from schemas.recipe import MseLoss
from schemas.settings import TuneSettings

MakeSettings = Callable[..., TuneSettings]
MakeVae = Callable[..., Any]
Open = Callable[[Path], HyperParameters]


def expected_elbo(vae: Any, examples: Examples, *, weight: float, seed: int) -> float:
    """The bound by its definition: a Gaussian of variance D / (2 · weight) per pixel, less the closed-form KL."""
    [pixels] = batches(examples, "validation", batch_size=16).as_numpy_iterator()
    mean, log_variance = (np.asarray(value, np.float64) for value in vae.encode(pixels))
    noise = standard_normal(seed, start=0, count=16, size=vae.latent_dim)
    codes = mean + np.exp(0.5 * log_variance) * noise
    images = np.asarray(vae.decode(codes.astype(np.float32)), np.float64)
    size = math.prod(pixels.shape[1:])
    log_prob = norm.logpdf(pixels / 255.0, images, math.sqrt(size / (2 * weight))).sum(axis=(1, 2, 3))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1.0 - log_variance).sum(axis=1)
    return float(np.mean(log_prob - kl))


def test_the_validation_elbo_is_on_fixed_noise(tiny_examples: Examples, make_vae: MakeVae) -> None:
    vae = make_vae()
    assert validation_elbo(vae, tiny_examples, seed=5) == validation_elbo(vae, tiny_examples, seed=5)
    assert validation_elbo(vae, tiny_examples, seed=5) != validation_elbo(vae, tiny_examples, seed=6)


def test_a_conditional_trial_is_judged_with_labels(
    labelled_examples: Examples, tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    settings = make_settings()
    settings = replace(settings, model=settings.model.model_copy(update={"conditional": True}))
    assert math.isfinite(run_trial(labelled_examples, settings, latent_dim=2, learning_rate=0.01, epochs=1))
    with pytest.raises(DataError, match=r"model\.conditional: expected a label for every image"):
        run_trial(tiny_examples, settings, latent_dim=2, learning_rate=0.01, epochs=1)


@pytest.mark.parametrize("weight", [1.0, 1000.0])
def test_the_validation_elbo_of_the_mse_loss_is_the_gaussians_own(
    weight: float, tiny_examples: Examples, make_vae: MakeVae
) -> None:
    vae = make_vae(loss=MseLoss(likelihood="mse", weight=weight))
    expected = expected_elbo(vae, tiny_examples, weight=weight, seed=5)
    assert validation_elbo(vae, tiny_examples, seed=5) == pytest.approx(expected, rel=1e-4)


def test_the_validation_elbo_does_not_depend_on_the_batches(
    tiny_examples: Examples, make_vae: MakeVae, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = make_vae()
    whole = validation_elbo(vae, tiny_examples, seed=5)
    monkeypatch.setattr("components.tune.trial.EVALUATION_BATCH", 5)
    assert validation_elbo(vae, tiny_examples, seed=5) == pytest.approx(whole, rel=1e-5)


def test_a_trial_gives_the_same_value_twice_and_training_helps(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    def elbo(epochs: int) -> float:
        return run_trial(tiny_examples, make_settings(), latent_dim=2, learning_rate=0.01, epochs=epochs)

    short = elbo(1)
    assert short == elbo(1)
    assert elbo(6) > short


def test_a_trial_whose_loss_is_no_number_fails_with_a_reason(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    with pytest.raises(TrialFailed, match=r"^the loss did not stay finite$"):
        run_trial(tiny_examples, make_settings(), latent_dim=2, learning_rate=1e6, epochs=1)


def test_a_search_over_too_wide_a_range_keeps_what_succeeded(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    found = open_hyperparameters(tmp_path)
    tune(tiny_examples, found, make_settings(max_trials=3, learning_rate=(1e-6, 1e12)))
    rows = pq.read_table(found.trials_path).to_pylist()
    assert {row["status"] for row in rows} == {"COMPLETED", "FAILED"}
    assert {row["reason"] for row in rows} == {None, "the loss did not stay finite"}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_broken_shard_stops_the_search_instead_of_counting_as_failed_trials(
    split: str,
    make_examples: Callable[..., Examples],
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    examples = make_examples(tmp_path / "examples")
    shard = examples.shards(split)[1]
    shard.write_bytes(shard.read_bytes()[:-10])
    found = open_hyperparameters(tmp_path / "hyperparameters")
    with pytest.raises(DataError, match=f"^{examples.path}: expected whole TFRecord shards"):
        tune(examples, found, make_settings())
    assert not found.best_path.exists()
    assert "failed" not in capsys.readouterr().out
