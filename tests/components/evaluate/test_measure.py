"""The pass over the test split: what it measures, what it keeps, and what it refuses."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from components.evaluate import measure as module
from components.evaluate.measure import batch_size, document, measure
from schemas.artifacts import Examples
from schemas.errors import DataError
from schemas.records import Statistics

MakeExamples = Callable[..., Examples]


class Shifted:
    """A model whose terms are known: every reconstruction is darker by a quarter, codes hold the image's brightness."""

    def __init__(self, *, broken: bool = False, variational: bool = True) -> None:
        self.latent_dim = 3
        self.variational = variational
        self.conditional = self.binary = False
        self.broken = broken

    def terms(self, pixels: Any, noise: Any) -> dict[str, Any]:
        import tensorflow as tf

        targets = tf.cast(pixels, tf.float32) / 255.0
        brightness = tf.reduce_mean(targets, axis=(1, 2, 3))  # [B]
        mean = tf.stack([brightness * 100.0, 0.05 * brightness, tf.zeros_like(brightness)], axis=1)
        log_prob = -100.0 * brightness
        return {
            "log_prob": tf.where(brightness > 0.5, np.nan, log_prob) if self.broken else log_prob,
            "kl": tf.reduce_sum(tf.square(noise), axis=1),
            "mean": mean,
            "log_variance": tf.zeros_like(mean),
            "targets": targets,
            "reconstructions": targets - 0.25,
        }

    def log_weights(self, pixels: Any, noise: Any) -> Any:
        import tensorflow as tf

        brightness = tf.reduce_mean(tf.cast(pixels, tf.float32), axis=(1, 2, 3)) / 255.0
        return -100.0 * brightness[:, None] + 0.0 * noise[:, :, 0]


def run(
    examples: Examples, *, vae: Any = None, seed: int = 0, codes: int = 1000, images: int = 25, **options: Any
) -> Any:
    return measure(vae or Shifted(), examples=examples, seed=seed, keep_codes=codes, keep_images=images, **options)


def test_means_and_standard_errors(make_examples: MakeExamples, noise_images: Any) -> None:
    pixels = noise_images(30)
    found = run(make_examples(pixels)).estimates
    log_prob = -100.0 * (pixels / 255.0).mean(axis=(1, 2, 3))
    assert found["log_prob"].value == pytest.approx(log_prob.mean(), rel=1e-5)
    assert found["log_prob"].standard_error == pytest.approx(log_prob.std(ddof=1) / np.sqrt(30), rel=1e-4)
    assert found["elbo"].value == pytest.approx(found["log_prob"].value - found["kl"].value, rel=1e-5)
    assert found["mse"].value == pytest.approx(0.0625, rel=1e-5)
    assert found["mse"].standard_error == pytest.approx(0.0, abs=1e-7)
    assert found["psnr"].value == pytest.approx(-10 * np.log10(0.0625), rel=1e-5)


def test_a_plain_autoencoder_has_no_kl_and_so_no_bound(make_examples: MakeExamples) -> None:
    found = run(make_examples(), vae=Shifted(variational=False))
    assert list(found.estimates) == ["ssim", "psnr", "mse", "log_prob"]
    assert list(document(found)["metrics"]) == ["ssim", "psnr", "mse", "log_prob"]


def test_the_importance_weighted_bound_is_measured_where_it_is_asked_for(
    make_examples: MakeExamples, noise_images: Any
) -> None:
    pixels = noise_images(30)
    examples = make_examples(pixels)
    assert "iwae" not in run(examples).estimates
    assert "importance_samples" not in document(run(examples))
    found = run(examples, importance_samples=3)
    brightness = (pixels / 255.0).mean(axis=(1, 2, 3))
    assert found.estimates["iwae"].value == pytest.approx(-100.0 * brightness.mean(), rel=1e-5)
    assert found.estimates["iwae"].standard_error == pytest.approx(
        100.0 * brightness.std(ddof=1) / np.sqrt(30), rel=1e-4
    )
    assert document(found)["importance_samples"] == 3
    assert "iwae" not in run(examples, vae=Shifted(variational=False), importance_samples=3).estimates


def test_the_batch_size_changes_nothing(make_examples: MakeExamples, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = make_examples()
    whole = run(examples)
    monkeypatch.setattr(module, "BATCH_SIZE", 7)
    parts = run(examples)
    assert document(parts) == document(whole)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.originals, whole.originals)


def test_noise_follows_the_seed(make_examples: MakeExamples) -> None:
    examples = make_examples()
    assert run(examples, seed=1).estimates["kl"] == run(examples, seed=1).estimates["kl"]
    assert run(examples, seed=1).estimates["kl"] != run(examples, seed=2).estimates["kl"]


def test_a_dimension_is_active_if_its_mean_varies(make_examples: MakeExamples) -> None:
    assert run(make_examples()).active.tolist() == [True, False, False]


def test_first_images_are_kept(make_examples: MakeExamples, noise_images: Any) -> None:
    pixels = noise_images(30)
    labels = [index % 3 - 1 for index in range(30)]
    found = run(make_examples(pixels, labels=labels, names=("a", "b")), codes=12, images=4)
    np.testing.assert_allclose(found.originals, pixels[:4] / 255.0, atol=1e-6)
    np.testing.assert_allclose(found.reconstructions, pixels[:4] / 255.0 - 0.25, atol=1e-6)
    assert found.labels.tolist() == labels[:4]
    assert found.codes.shape == (12, 3)
    assert found.code_labels.tolist() == labels[:12]


def test_progress_ends_at_all_images(make_examples: MakeExamples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 16)
    told: list[int] = []
    measure(Shifted(), examples=make_examples(), seed=0, keep_codes=1, keep_images=1, progress=told.append)
    assert told == [16, 30]


def test_large_images_come_in_small_batches() -> None:
    assert batch_size(28, 28) == batch_size(64, 64) == 256
    assert batch_size(256, 256) == 16
    assert batch_size(1024, 1024) == 1


def test_document_is_json_without_nan(make_examples: MakeExamples, noise_images: Any) -> None:
    found = document(run(make_examples(noise_images(1))))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["split"] == "test"
    assert found["images"] == 1
    assert found["metrics"]["mse"]["standard_error"] is None
    assert found["metrics"]["elbo"]["unit"] == "nats per image"
    assert found["latent"] == {**found["latent"], "dimensions": 3, "active": None}


def test_no_test_images(make_examples: MakeExamples, noise_images: Any) -> None:
    with pytest.raises(DataError, match=r"expected test images, found none; raise preprocess\.test"):
        run(make_examples(noise_images(0)))


def test_values_that_are_not_finite(make_examples: MakeExamples) -> None:
    dark, light = (np.full((3, 8, 8, 1), value, np.uint8) for value in (10, 240))
    examples = make_examples(np.concatenate([dark, light[:2]]))
    with pytest.raises(DataError, match=r"NaN or infinity for 2 of 5; lower train\.learning_rate"):
        run(examples, vae=Shifted(broken=True))


def test_a_shard_that_lacks_images(make_examples: MakeExamples) -> None:
    examples = make_examples()
    shard = examples.shards("test")[0]
    size = len(shard.read_bytes()) // 30
    shard.write_bytes(shard.read_bytes()[: 29 * size + 1])
    with pytest.raises(DataError, match="expected"):
        run(examples)


def test_terms_of_a_real_model_match_their_formulas(make_examples: MakeExamples, noise_images: Any) -> None:
    from models.build import build_vae
    from models.noise import standard_normal
    from schemas.recipe import BernoulliLoss, DenseModel

    pixels = noise_images(20)
    examples = make_examples(pixels)
    statistics = Statistics.model_validate_json(examples.statistics_path.read_bytes())
    settings = DenseModel(network="dense", latent_dim=2, hidden=(8,))
    vae = build_vae(settings, BernoulliLoss(likelihood="bernoulli"), statistics, seed=1)
    found = run(examples, vae=vae, seed=4).estimates

    images = pixels / 255.0
    mean, log_variance = (np.asarray(part, np.float64) for part in vae.encoder(images))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    codes = mean + np.exp(0.5 * log_variance) * standard_normal(4, start=0, count=20, size=2)
    rebuilt = 1 / (1 + np.exp(-np.asarray(vae.decoder(codes), np.float64)))
    log_prob = (images * np.log(rebuilt) + (1 - images) * np.log(1 - rebuilt)).sum(axis=(1, 2, 3))
    assert found["kl"].value == pytest.approx(kl.mean(), rel=1e-4)
    assert found["log_prob"].value == pytest.approx(log_prob.mean(), rel=1e-5)
    assert found["elbo"].value == pytest.approx((log_prob - kl).mean(), rel=1e-5)
    assert found["elbo"].standard_error == pytest.approx((log_prob - kl).std(ddof=1) / np.sqrt(20), rel=1e-3)
    assert found["mse"].value == pytest.approx(((images - rebuilt) ** 2).mean(), rel=1e-4)
