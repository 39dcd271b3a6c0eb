"""The pass over the test split: its metrics, the images that it returns, and its errors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from components.evaluate.reconstruction import measure as module
from components.evaluate.reconstruction.latent import AggregatePosterior
from components.evaluate.reconstruction.measure import Measurement, batch_size, document, measure
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.errors import DataError

MakeExamples = Callable[..., Examples]


class Shifted:
    """A model with known terms: each reconstruction is darker by a quarter, and codes are the image's brightness."""

    def __init__(self, *, broken: bool = False, variational: bool = True) -> None:
        self.latent_dim = 3
        self.variational = variational
        self.conditional = self.binary = self.density = False
        self.prior = None
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
    monkeypatch.setattr(module, "BATCH_SIZE", 7)
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
    monkeypatch.setattr(module, "BATCH_SIZE", 16)
    counts: list[int] = []
    measure(Shifted(), examples=make_examples(), seed=0, keep_codes=1, keep_images=1, progress=counts.append)
    assert counts == [16, 30]


def test_large_images_come_in_small_batches() -> None:
    assert batch_size(28, 28) == batch_size(64, 64) == 256
    assert batch_size(256, 256) == 16
    assert batch_size(1024, 1024) == 1


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


def test_terms_of_a_real_model_match_their_formulas(make_examples: MakeExamples, noise_images: Any) -> None:
    from components.latents.noise import standard_normal
    from models.build import build_vae
    from schemas.recipe.model import BernoulliLoss, DenseModel

    pixels = noise_images(20)
    examples = make_examples(pixels)
    statistics = Statistics.model_validate_json(examples.statistics_path.read_bytes())
    settings = DenseModel(network="dense", latent_dim=2, hidden=(8,))
    vae = build_vae(settings, BernoulliLoss(likelihood="bernoulli"), statistics, seed=1)
    estimates = run(examples, vae=vae, seed=4).estimates

    images = pixels / 255.0
    mean, log_variance = (np.asarray(part, np.float64) for part in vae.encoder(images))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    codes = mean + np.exp(0.5 * log_variance) * standard_normal(4, start=0, count=20, size=2)
    rebuilt = 1 / (1 + np.exp(-np.asarray(vae.decoder(codes), np.float64)))
    log_prob = (images * np.log(rebuilt) + (1 - images) * np.log(1 - rebuilt)).sum(axis=(1, 2, 3))
    assert estimates["kl"].value == pytest.approx(kl.mean(), rel=1e-4)
    assert estimates["log_prob"].value == pytest.approx(log_prob.mean(), rel=1e-5)
    assert estimates["elbo"].value == pytest.approx((log_prob - kl).mean(), rel=1e-5)
    assert estimates["elbo"].standard_error == pytest.approx((log_prob - kl).std(ddof=1) / np.sqrt(20), rel=1e-3)
    assert estimates["mse"].value == pytest.approx(((images - rebuilt) ** 2).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("mean", "deviation", "activation"),
    [([0.0], [1.0], "sigmoid"), ([0.5], [0.5], "tanh"), ([0.4, 0.5, 0.6], [0.2, 0.3, 0.1], "linear")],
)
def test_bits_per_dimension_are_the_negative_elbo_of_256_levels(
    mean: list[float], deviation: list[float], activation: Any, make_examples: MakeExamples, noise_images: Any
) -> None:
    from components.latents.noise import standard_normal
    from models.likelihoods import WeightedMse
    from models.normalisation import Normalise

    channels = len(mean)
    pixels = noise_images(20, height=4, width=6, channels=channels)
    vae = make_vae((4, 6, channels), WeightedMse(50.0, activation), Normalise(mean, deviation))
    measurement = run(make_examples(pixels), vae=vae, seed=4)

    size = 4 * 6 * channels
    images = (pixels / 255.0 - mean) / deviation
    posterior, log_variance = (np.asarray(part, np.float64) for part in vae.encoder(images))
    codes = posterior + np.exp(0.5 * log_variance) * standard_normal(4, start=0, count=20, size=2)
    rebuilt = np.asarray(vae.likelihood.mean(vae.decoder(codes)), np.float64)
    variance = size / (2 * 50.0)
    densities = scipy.stats.norm(rebuilt, np.sqrt(variance)).logpdf(images)  # of normalised values
    widths = np.log(1 / (255.0 * np.array(deviation)))  # of a level, of 0 to 255, as it is normalised
    kl = 0.5 * (posterior**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    nats = kl - (densities + widths).sum(axis=(1, 2, 3))  # of a level's probability
    bits = nats / (np.log(2) * size)
    assert measurement.estimates["bits_per_dim"].value == pytest.approx(bits.mean(), rel=1e-5)
    assert measurement.estimates["bits_per_dim"].standard_error == pytest.approx(
        bits.std(ddof=1) / np.sqrt(20), rel=1e-3
    )
    assert document(measurement)["metrics"]["bits_per_dim"]["better"] == "lower"


def test_bits_per_dimension_do_not_depend_on_the_normalisation(make_examples: MakeExamples, noise_images: Any) -> None:
    """Both models are the same Gaussian over pixels, on different scales."""
    from models.likelihoods import WeightedMse
    from models.normalisation import Normalise

    examples = make_examples(noise_images(20, height=4, width=6))
    estimates = []
    for deviation in (1.0, 0.25):
        vae = make_vae((4, 6, 1), WeightedMse(50.0 * deviation**2, "linear"), Normalise([0.0], [deviation]))
        for network in (vae.encoder, vae.decoder):  # a constant image, and the prior
            network.set_weights([0 * weight for weight in network.get_weights()])
        estimates.append(run(examples, vae=vae).estimates)
    assert estimates[0]["bits_per_dim"].value == pytest.approx(estimates[1]["bits_per_dim"].value, rel=1e-5)
    assert estimates[0]["elbo"].value != pytest.approx(estimates[1]["elbo"].value, rel=0.1)


def test_probabilities_and_plain_autoencoders_have_no_bits_per_dimension(
    make_examples: MakeExamples, noise_images: Any
) -> None:
    from models.likelihoods import Bernoulli, WeightedMse
    from models.normalisation import Normalise

    examples = make_examples(noise_images(5))
    unit = Normalise([0.0], [1.0])
    assert "bits_per_dim" not in run(examples, vae=make_vae((8, 8, 1), Bernoulli(), unit)).estimates
    plain = make_vae((8, 8, 1), WeightedMse(50.0, "sigmoid"), unit, kl="none")
    assert "bits_per_dim" not in run(examples, vae=plain).estimates


def test_a_model_of_binary_images_is_measured_on_binary_images(make_examples: MakeExamples, noise_images: Any) -> None:
    from models.likelihoods import Bernoulli
    from models.normalisation import Normalise

    pixels = noise_images(30)
    vae = make_vae((8, 8, 1), Bernoulli(binarise=True), Normalise([0.0], [1.0]))
    originals = run(make_examples(pixels), vae=vae, images=30).originals
    assert set(np.unique(originals)) == {0.0, 1.0}
    assert np.corrcoef(originals.ravel(), pixels.ravel())[0, 1] > 0.5


def test_codes_in_fewer_dimensions_than_there_are_have_no_number_for_the_gap(measured: Measurement) -> None:
    flat = AggregatePosterior(3)
    flat.add(np.ones((10, 3)), np.full((10, 3), -2000.0))
    latent = document(replace(measured, aggregate=flat))["latent"]
    assert latent["aggregate_gap"] is None
    assert latent["aggregate_doc"].endswith("It is infinite: all codes lie in fewer dimensions than there are.")


def make_vae(shape: tuple[int, int, int], likelihood: Any, normalise: Any, **options: Any) -> Any:
    """Build a model of dense layers with random weights and two latent dimensions."""
    import keras

    from models.vae import VAE

    keras.utils.set_random_seed(0)
    images = keras.Input(shape)
    flat = keras.layers.Flatten()(images)
    encoder = keras.Model(images, [keras.layers.Dense(2, name=name)(flat) for name in ("mean", "log_variance")])
    codes = keras.Input((2,))
    outputs = keras.layers.Dense(int(np.prod(shape)))(codes)
    decoder = keras.Model(codes, keras.layers.Reshape(shape)(outputs))
    return VAE(encoder=encoder, decoder=decoder, likelihood=likelihood, normalise=normalise, **options)
