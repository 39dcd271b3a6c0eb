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
import tensorflow as tf
from scipy.stats import norm

from components.examples import training_images
from components.examples.dataset import batches, labelled_shard
from components.examples.training_images import TrainingImages
from components.latents.noise import standard_normal
from components.tune.component import tune
from components.tune.networks import Networks
from components.tune.trial import TrialFailed, run_trial, validation_elbo
from models.vae import VAE
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.artifacts.records import Statistics
from schemas.errors import DataError
from schemas.recipe.model import ConvModel, MseLoss
from schemas.recipe.settings import TuneSettings, with_values

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


def elbo_of(vae: Any, examples: Examples, *, seed: int) -> float:
    """As a trial is judged."""
    return validation_elbo(vae, TrainingImages(examples, limit=1), seed=seed, terms=vae.terms)


def values_of(
    examples: Examples,
    settings: TuneSettings,
    *,
    epochs: int,
    last: int | None = None,
    networks: Networks | None = None,
    whole: bool = True,
) -> list[float]:
    """A trial's ELBO on all 64 images, an epoch after another; it is told to end after the epoch `last`."""
    found: list[float] = []

    def report(epoch: int, elbo: float) -> bool:
        found.append(elbo)
        assert len(found) == epoch
        return epoch == last

    images = TrainingImages(examples, limit=1000)
    networks = networks or Networks(images)
    epochs_run, elbo = run_trial(images, networks, settings, epochs=epochs, count=64, report=report, whole=whole)
    assert epochs_run == (last or epochs)
    return [*found[: epochs_run - 1], elbo]


def test_the_validation_elbo_is_on_fixed_noise(tiny_examples: Examples, make_vae: MakeVae) -> None:
    vae = make_vae()
    assert elbo_of(vae, tiny_examples, seed=5) == elbo_of(vae, tiny_examples, seed=5)
    assert elbo_of(vae, tiny_examples, seed=5) != elbo_of(vae, tiny_examples, seed=6)


def test_a_conditional_trial_is_judged_with_labels(
    labelled_examples: Examples,
    tiny_examples: Examples,
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings()
    settings = replace(settings, model=settings.model.model_copy(update={"conditional": True}))
    for share in (0.25, 0.0):  # images kept in memory, and read from the shards
        monkeypatch.setattr(training_images, "MEMORY_SHARE", share)
        assert all(map(math.isfinite, values_of(labelled_examples, settings, epochs=2)))
    with pytest.raises(DataError, match=r"model\.conditional: expected a label for every image"):
        values_of(tiny_examples, settings, epochs=1)


@pytest.mark.parametrize("weight", [1.0, 1000.0])
def test_the_validation_elbo_of_the_mse_loss_is_the_gaussians_own(
    weight: float, tiny_examples: Examples, make_vae: MakeVae
) -> None:
    vae = make_vae(loss=MseLoss(likelihood="mse", weight=weight))
    expected = expected_elbo(vae, tiny_examples, weight=weight, seed=5)
    assert elbo_of(vae, tiny_examples, seed=5) == pytest.approx(expected, rel=1e-4)


def test_the_validation_elbo_does_not_depend_on_the_batches(
    tiny_examples: Examples, make_vae: MakeVae, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = make_vae()
    whole = elbo_of(vae, tiny_examples, seed=5)
    monkeypatch.setattr("components.tune.trial.READ", 5)
    assert elbo_of(vae, tiny_examples, seed=5) == pytest.approx(whole, rel=1e-5)


def test_a_trial_gives_the_same_values_twice_and_training_helps(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    first, *_, last = values = values_of(tiny_examples, settings, epochs=6)
    assert values_of(tiny_examples, settings, epochs=6) == values
    assert last > first


def test_a_trial_that_is_told_to_end_has_what_it_reached_until_then(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    assert values_of(tiny_examples, settings, epochs=4, last=2) == values_of(tiny_examples, settings, epochs=4)[:2]


def test_trials_that_share_a_network_have_the_values_that_they_have_alone(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    candidates = [
        settings,
        with_values(settings, {"train.learning_rate": 0.002}),
        with_values(settings, {"train.batch_size": 8}),
        with_values(settings, {"model.latent_dim": 3}),
        settings,
    ]
    alone = [values_of(tiny_examples, candidate, epochs=3) for candidate in candidates]
    images = TrainingImages(tiny_examples, limit=1000)
    networks = Networks(images)
    shared = [values_of(tiny_examples, candidate, epochs=3, networks=networks) for candidate in candidates]
    assert shared == alone
    assert len(networks.built) == 2
    monkeypatch.setattr("components.tune.networks.KEPT", 1)
    assert [values_of(tiny_examples, candidate, epochs=3, networks=networks) for candidate in candidates] == alone


def test_values_on_the_way_are_of_the_first_images_and_the_last_of_all(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    exact = values_of(tiny_examples, settings, epochs=3)
    monkeypatch.setattr("components.tune.trial.GLANCE", 4)
    glanced = values_of(tiny_examples, settings, epochs=3)
    assert glanced[:2] != exact[:2]
    assert glanced[2] == exact[2]
    assert values_of(tiny_examples, settings, epochs=3, last=2)[1] == exact[1]
    short = values_of(tiny_examples, settings, epochs=3, whole=False)  # others will run longer
    assert short[:2] == glanced[:2]
    assert short[2] != exact[2]


def test_the_weight_of_the_loss_is_not_what_a_trial_is_judged_by(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    """With the reconstruction divided by 64 pixels a trial's loss is far smaller, and its ELBO is not."""
    settings = make_settings(train={"learning_rate": 1e-6})
    weighted = with_values(settings, {"loss.reconstruction": "mean"})
    [elbo], [same] = (values_of(tiny_examples, found, epochs=1) for found in (settings, weighted))
    assert same == pytest.approx(elbo, rel=1e-2)


def test_images_too_large_for_memory_are_read_from_the_shards(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    in_memory = values_of(tiny_examples, settings, epochs=4)
    monkeypatch.setattr(training_images, "MEMORY_SHARE", 0.0)
    assert values_of(tiny_examples, settings, epochs=4) == in_memory


def test_the_shards_are_read_once_for_all_trials(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def counted(path: Path, statistics: Statistics) -> Any:
        reads.append(path.parent.name)
        return labelled_shard(path, statistics)

    monkeypatch.setattr(training_images, "labelled_shard", counted)
    images = TrainingImages(tiny_examples, limit=1000)
    for _ in range(3):
        run_trial(images, Networks(images), make_settings(), epochs=2, count=64, report=lambda epoch, elbo: False)
    assert sorted(reads) == ["Split-train"] * 2 + ["Split-validation"] * 2  # a line per shard


def test_a_trial_whose_loss_is_no_number_fails_with_a_reason(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    with pytest.raises(TrialFailed, match=r"^the loss did not stay finite$"):
        values_of(tiny_examples, make_settings(train={"learning_rate": 1e6}), epochs=1)


def test_a_trial_that_runs_out_of_memory_fails_with_a_reason(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[1000000,1000000]")

    images = TrainingImages(tiny_examples, limit=1000)
    networks = Networks(images)
    values_of(tiny_examples, make_settings(), epochs=1, networks=networks)
    monkeypatch.setattr("models.vae.VAE.fit", full)
    with pytest.raises(TrialFailed, match=r"^out of memory$"):
        values_of(tiny_examples, make_settings(), epochs=1, networks=networks)
    assert not networks.built  # those of trials before had to go, too


def test_memory_that_other_trials_networks_hold_costs_no_trial(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = TrainingImages(tiny_examples, limit=1000)
    networks = Networks(images)
    expected = values_of(tiny_examples, make_settings(), epochs=2)
    values_of(tiny_examples, with_values(make_settings(), {"model.latent_dim": 3}), epochs=1, networks=networks)
    fit = VAE.fit

    def full(vae: VAE, *arguments: Any, **named: Any) -> Any:
        if len(networks.built) > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return fit(vae, *arguments, **named)

    monkeypatch.setattr(VAE, "fit", full)
    assert values_of(tiny_examples, make_settings(), epochs=2, networks=networks) == expected


def test_values_that_do_not_fit_each_other_cost_their_trial_only(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    settings = make_settings(
        max_trials=8, space={"model.decoder": [[[4, 2]], [[4, 4]]], "model.output_stride": [1, 4]}, oracle="random"
    )
    model = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),))
    found = open_hyperparameters(tmp_path)
    tune(tiny_examples, found, replace(settings, model=model))
    rows = pq.read_table(found.trials_path).to_pylist()
    assert len(rows) == 4
    for row in rows:
        fits = row["model.output_stride"] == 1 or row["model.decoder"] == "[[4, 2]]"
        assert row["reason"] == (None if fits else "the decoder's strides need a multiple of 16, found 8×8 pixels")


def test_a_search_over_too_wide_a_range_keeps_what_succeeded(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    found = open_hyperparameters(tmp_path)
    space = {"train.learning_rate": {"low": 1e-6, "high": 1e6, "log": True}}
    tune(tiny_examples, found, make_settings(max_trials=3, space=space))
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
