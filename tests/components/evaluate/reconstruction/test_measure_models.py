"""Measurements of real models match their formulas: terms, bits per dimension, binary images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from helpers.shifted_model import run

from components.evaluate.reconstruction.measure import document
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics

MakeExamples = Callable[..., Examples]


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
