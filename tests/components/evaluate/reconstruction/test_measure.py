"""The pass over the test split: its metrics, the images that it returns, and its errors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.shifted_model import Shifted, run

from components.evaluate.reconstruction.latent import AggregatePosterior
from components.evaluate.reconstruction.measure import Measurement, document, measure
from components.examples import dataset
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError

MakeExamples = Callable[..., Examples]


@pytest.fixture(scope="module")
def measured(make_examples: MakeExamples, noise_images: Any) -> Measurement:
    """Return the measurement of `Shifted` on thirty images of noise."""
    return run(make_examples(noise_images(30)))


def test_means_and_standard_errors(measured: Measurement, noise_images: Any) -> None:
    pixels = noise_images(30)
    estimates = measured.estimates
    log_prob = -100.0 * (pixels / 255.0).mean(axis=(1, 2, 3))
    assert estimates["log_prob"].value == pytest.approx(log_prob.mean(), rel=1e-5)
    assert estimates["log_prob"].standard_error == pytest.approx(log_prob.std(ddof=1) / np.sqrt(30), rel=1e-4)
    assert estimates["elbo"].value == pytest.approx(estimates["log_prob"].value - estimates["kl"].value, rel=1e-5)
    assert estimates["mse"].value == pytest.approx(0.0625, rel=1e-5)
    assert estimates["mse"].standard_error == pytest.approx(0.0, abs=1e-7)
    assert estimates["psnr"].value == pytest.approx(-10 * np.log10(0.0625), rel=1e-5)


def test_one_colour_is_measured_in_place_of_the_reconstructions(measured: Measurement, noise_images: Any) -> None:
    pixels = noise_images(30)
    squared = np.square(pixels / 255.0 - 0.5).mean(axis=(1, 2, 3))  # the training images' mean is a half
    assert list(measured.plain_colour) == ["ssim", "psnr", "mse"]
    assert measured.plain_colour["mse"] == pytest.approx(squared.mean(), rel=1e-5)
    assert measured.plain_colour["psnr"] == pytest.approx((-10 * np.log10(squared)).mean(), rel=1e-5)
    assert 0 <= measured.plain_colour["ssim"] < 0.1  # noise has nothing in common with one colour
    metrics = document(measured)["metrics"]
    assert metrics["mse"]["plain_colour"] == pytest.approx(measured.plain_colour["mse"], rel=1e-5)
    assert "plain_colour" not in metrics["kl"]


def test_a_plain_autoencoder_has_no_kl_and_so_no_bound(make_examples: MakeExamples) -> None:
    measurement = run(make_examples(), vae=Shifted(variational=False))
    assert list(measurement.estimates) == ["ssim", "psnr", "mse", "log_prob"]
    assert list(document(measurement)["metrics"]) == ["ssim", "psnr", "mse", "log_prob"]


def test_the_importance_weighted_bound_is_optional(
    measured: Measurement, make_examples: MakeExamples, noise_images: Any
) -> None:
    pixels = noise_images(30)
    examples = make_examples(pixels)
    assert "iwae" not in measured.estimates
    assert "importance_samples" not in document(measured)
    measurement = run(examples, importance_samples=3)
    brightness = (pixels / 255.0).mean(axis=(1, 2, 3))
    assert measurement.estimates["iwae"].value == pytest.approx(-100.0 * brightness.mean(), rel=1e-5)
    assert measurement.estimates["iwae"].standard_error == pytest.approx(
        100.0 * brightness.std(ddof=1) / np.sqrt(30), rel=1e-4
    )
    assert document(measurement)["importance_samples"] == 3
    assert "iwae" not in run(examples, vae=Shifted(variational=False), importance_samples=3).estimates


def test_a_resumed_measurement_takes_saved_values_of_the_bound(make_examples: MakeExamples, tmp_path: Path) -> None:
    examples = make_examples()
    np.save(tmp_path / "importance.npy", np.full(30, -7.0))
    estimates = run(examples, importance_samples=3, work=tmp_path).estimates
    assert estimates["iwae"].value == pytest.approx(-7.0)
    assert estimates["log_prob"] == run(examples).estimates["log_prob"]


def test_the_aggregate_posterior_is_measured(
    measured: Measurement, make_examples: MakeExamples, noise_images: Any
) -> None:
    pixels = noise_images(30)
    brightness = (pixels / 255.0).mean(axis=(1, 2, 3))
    means = np.stack([100.0 * brightness, 0.05 * brightness, 0.0 * brightness], axis=1)  # of variance 1
    kl = (0.5 * means**2).mean(axis=0)
    np.testing.assert_allclose(measured.aggregate.kl_per_dimension, kl, rtol=1e-5, atol=1e-9)
    latent = document(measured)["latent"]
    np.testing.assert_allclose(latent["kl_per_dimension"], kl, rtol=1e-4, atol=1e-9)
    assert latent["aggregate_gap"] == pytest.approx(measured.aggregate.gap, rel=1e-5)
    plain = run(make_examples(), vae=Shifted(variational=False))
    assert plain.aggregate is None
    assert "kl_per_dimension" not in document(plain)["latent"]


def test_the_batch_size_changes_nothing(make_examples: MakeExamples, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = make_examples()
    whole = run(examples)
    monkeypatch.setattr(dataset, "MOST_AT_ONCE", 7)
    parts = run(examples)
    assert document(parts) == document(whole)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.originals, whole.originals)


def test_the_seed_decides_the_noise(make_examples: MakeExamples) -> None:
    examples = make_examples()
    first, again, other = (run(examples, seed=seed).estimates["kl"] for seed in (1, 1, 2))
    assert first == again != other


def test_a_dimension_is_active_if_its_mean_varies(measured: Measurement) -> None:
    assert measured.active.tolist() == [True, False, False]


def test_codes_and_reconstructions_of_the_first_images_are_returned(
    make_examples: MakeExamples, noise_images: Any
) -> None:
    pixels = noise_images(30)
    labels = [index % 3 - 1 for index in range(30)]
    measurement = run(make_examples(pixels, labels=labels, names=("a", "b")), codes=12, images=4)
    np.testing.assert_allclose(measurement.originals, pixels[:4] / 255.0, atol=1e-6)
    np.testing.assert_allclose(measurement.reconstructions, pixels[:4] / 255.0 - 0.25, atol=1e-6)
    assert measurement.labels.tolist() == labels[:4]
    assert measurement.codes.shape == (12, 3)
    assert measurement.code_labels.tolist() == labels[:12]


def test_progress_counts_images(make_examples: MakeExamples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MOST_AT_ONCE", 16)
    counts: list[int] = []
    measure(Shifted(), examples=make_examples(), seed=0, keep_codes=1, keep_images=1, progress=counts.append)
    assert counts == [16, 30]


def test_document_is_json_without_nan(make_examples: MakeExamples, noise_images: Any) -> None:
    content = document(run(make_examples(noise_images(1))))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["split"] == "test"
    assert content["images"] == 1
    assert content["metrics"]["mse"]["standard_error"] is None
    assert content["metrics"]["elbo"]["unit"] == "nats per image"
    assert content["latent"] == {**content["latent"], "dimensions": 3, "active": None}


def test_no_test_images_are_an_error(make_examples: MakeExamples, noise_images: Any) -> None:
    with pytest.raises(DataError, match=r"expected test images, found none; raise preprocess\.test"):
        run(make_examples(noise_images(0)))


def test_values_that_are_not_finite_are_an_error(make_examples: MakeExamples) -> None:
    dark, light = (np.full((3, 8, 8, 1), value, np.uint8) for value in (10, 240))
    examples = make_examples(np.concatenate([dark, light[:2]]))
    with pytest.raises(DataError, match=r"NaN or infinity for 2 of 5; lower train\.learning_rate"):
        run(examples, vae=Shifted(broken=True))


def test_a_shard_that_lacks_images_is_an_error(make_examples: MakeExamples) -> None:
    examples = make_examples()
    shard = examples.shards("test")[0]
    size = len(shard.read_bytes()) // 30
    shard.write_bytes(shard.read_bytes()[: 29 * size + 1])
    with pytest.raises(DataError, match="expected"):
        run(examples)


def test_codes_in_fewer_dimensions_than_there_are_have_no_number_for_the_gap(measured: Measurement) -> None:
    flat = AggregatePosterior(3)
    flat.add(np.ones((10, 3)), np.full((10, 3), -2000.0))
    latent = document(replace(measured, aggregate=flat))["latent"]
    assert latent["aggregate_gap"] is None
    assert latent["aggregate_doc"].endswith("It is infinite: all codes lie in fewer dimensions than there are.")
