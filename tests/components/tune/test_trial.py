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
    """Return the bound by its definition: a Gaussian of variance D / (2 · weight) per pixel, less the closed-form KL."""
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


@pytest.fixture(scope="module")
def networks(tiny_examples: Examples) -> Networks:
    """Return the networks that the tests of this file share: building one and tracing its steps takes seconds.

    That a shared network gives the values of a new one has its own test below.
    """
    return Networks(TrainingImages(tiny_examples, limit=1000))


def values_of(
    networks: Networks,
    settings: TuneSettings,
    *,
    epochs: int,
    last: int | None = None,
    whole: bool = True,
    images: TrainingImages | None = None,
) -> list[float]:
    """Return a trial's ELBO after each epoch, trained on 64 images; after the epoch `last` it is ended early."""
    values: list[float] = []

    def report(epoch: int, elbo: float) -> bool:
        values.append(elbo)
        assert len(values) == epoch
        return epoch == last

    images = images or networks.images
    epochs_run, elbo = run_trial(images, networks, settings, epochs=epochs, count=64, report=report, whole=whole)
    assert epochs_run == (last or epochs)
    return [*values[: epochs_run - 1], elbo]


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
    networks = Networks(TrainingImages(labelled_examples, limit=1000))
    in_memory = values_of(networks, settings, epochs=2)
    assert all(map(math.isfinite, in_memory))
    monkeypatch.setattr(training_images, "MEMORY_SHARE", 0.0)
    from_shards = TrainingImages(labelled_examples, limit=1000)
    assert values_of(networks, settings, epochs=2, images=from_shards) == in_memory
    with pytest.raises(DataError, match=r"model\.conditional: expected a label for every image"):
        values_of(Networks(TrainingImages(tiny_examples, limit=1000)), settings, epochs=1)


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
    monkeypatch.setattr("components.tune.trial.BATCH_SIZE", 5)
    assert elbo_of(vae, tiny_examples, seed=5) == pytest.approx(whole, rel=1e-5)


def test_a_trial_gives_the_same_values_twice_and_training_helps(
    networks: Networks, make_settings: MakeSettings
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    first, *_, last = values = values_of(networks, settings, epochs=6)
    assert values_of(networks, settings, epochs=6) == values
    assert last > first
    assert values_of(networks, settings, epochs=6, last=2) == values[:2]  # what it reached when it was ended


def test_trials_that_share_a_network_have_the_values_that_they_have_alone(
    tiny_examples: Examples, networks: Networks, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    quick = with_values(settings, {"train.learning_rate": 0.002, "train.batch_size": 8})
    larger = with_values(settings, {"model.latent_dim": 3})
    alone = Networks(TrainingImages(tiny_examples, limit=1000))
    expected = [values_of(networks, candidate, epochs=3) for candidate in (settings, quick, larger, settings)]
    monkeypatch.setattr("components.tune.networks.MAX_NETWORKS", 1)
    assert values_of(alone, quick, epochs=3) == expected[1]
    assert values_of(alone, larger, epochs=3) == expected[2]  # the network before it was given up
    assert len(alone.built) == 1
    assert len(networks.built) >= 2
    assert expected[0] == expected[3]


def test_all_values_but_the_last_are_of_the_first_images(
    networks: Networks, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    exact = values_of(networks, settings, epochs=3)
    monkeypatch.setattr("components.tune.trial.FIRST_IMAGES", 4)
    partial = values_of(networks, settings, epochs=3)
    assert partial[:2] != exact[:2]
    assert partial[2] == exact[2]
    assert values_of(networks, settings, epochs=3, last=2)[1] == exact[1]
    short = values_of(networks, settings, epochs=3, whole=False)  # others will run longer
    assert short[:2] == partial[:2]
    assert short[2] != exact[2]


def test_the_weight_of_the_loss_does_not_change_by_what_a_trial_is_judged(
    networks: Networks, make_settings: MakeSettings
) -> None:
    """With the reconstruction divided by 64 pixels a trial's loss is far smaller, and its ELBO is not."""
    settings = make_settings(train={"learning_rate": 1e-6})
    weighted = with_values(settings, {"loss.reconstruction": "mean"})
    [elbo], [same] = (values_of(networks, candidate, epochs=1) for candidate in (settings, weighted))
    assert same == pytest.approx(elbo, rel=1e-2)


def test_images_too_large_for_memory_are_read_from_the_shards(
    tiny_examples: Examples, networks: Networks, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(train={"learning_rate": 0.01})
    in_memory = values_of(networks, settings, epochs=4)
    monkeypatch.setattr(training_images, "MEMORY_SHARE", 0.0)
    from_shards = TrainingImages(tiny_examples, limit=1000)
    assert values_of(networks, settings, epochs=4, images=from_shards) == in_memory


def test_the_shards_are_read_once_for_all_trials(
    tiny_examples: Examples, networks: Networks, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def counted(path: Path, statistics: Statistics) -> Any:
        reads.append(path.parent.name)
        return labelled_shard(path, statistics)

    monkeypatch.setattr(training_images, "labelled_shard", counted)
    images = TrainingImages(tiny_examples, limit=1000)
    for _ in range(3):
        values_of(networks, make_settings(), epochs=2, images=images)
    assert sorted(reads) == ["Split-train"] * 2 + ["Split-validation"] * 2  # an entry per shard


def test_a_trial_whose_loss_is_no_number_fails_with_a_reason(networks: Networks, make_settings: MakeSettings) -> None:
    with pytest.raises(TrialFailed, match=r"^the loss did not stay finite$"):
        values_of(networks, make_settings(train={"learning_rate": 1e6}), epochs=1)


def test_a_trial_that_runs_out_of_memory_fails_with_a_reason(
    tiny_examples: Examples, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[1000000,1000000]")

    networks = Networks(TrainingImages(tiny_examples, limit=1000))
    networks.get(make_settings())
    monkeypatch.setattr("models.vae.VAE.fit", full)
    with pytest.raises(TrialFailed, match=r"^out of memory$"):
        values_of(networks, make_settings(), epochs=1)
    assert not networks.built  # the networks of earlier trials had to go, too


def test_memory_that_the_networks_of_earlier_trials_hold_is_freed_for_the_next(
    tiny_examples: Examples, networks: Networks, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = values_of(networks, make_settings(), epochs=2)
    crowded = Networks(TrainingImages(tiny_examples, limit=1000))
    crowded.get(with_values(make_settings(), {"model.latent_dim": 3}))
    fit = VAE.fit

    def full(vae: VAE, *arguments: Any, **named: Any) -> Any:
        if len(crowded.built) > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return fit(vae, *arguments, **named)

    monkeypatch.setattr(VAE, "fit", full)
    assert values_of(crowded, make_settings(), epochs=2) == expected


def test_strides_that_do_not_fit_the_images_fail_the_trial_with_a_reason(
    networks: Networks, make_settings: MakeSettings
) -> None:
    """That a failed trial costs no other is a test of the search."""
    model = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 4),), output_stride=4)
    built = len(networks.built)
    with pytest.raises(TrialFailed, match=r"^the decoder's strides need a multiple of 16, found 8×8 pixels$"):
        values_of(networks, replace(make_settings(), model=model), epochs=1)
    assert len(networks.built) == built


def test_a_search_over_too_wide_a_range_keeps_what_succeeded(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    hyperparameters = open_hyperparameters(tmp_path)
    space = {"train.learning_rate": {"low": 1e-6, "high": 1e6, "log": True}}
    tune(tiny_examples, hyperparameters, make_settings(max_trials=3, space=space))
    rows = pq.read_table(hyperparameters.trials_path).to_pylist()
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
    hyperparameters = open_hyperparameters(tmp_path / "hyperparameters")
    with pytest.raises(DataError, match=f"^{examples.path}: expected whole TFRecord shards"):
        tune(examples, hyperparameters, make_settings())
    assert not hyperparameters.best_path.exists()
    assert "failed" not in capsys.readouterr().out
