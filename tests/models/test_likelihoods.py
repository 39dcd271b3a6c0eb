"""Each likelihood computes the log-probability of its distribution, in nats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from helpers.tensors import to_float64
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops
from scipy.special import expit, log_expit
from scipy.stats import bernoulli, logistic, norm

from models.likelihoods import Bernoulli, Gaussian, Likelihood, LogisticMixture, WeightedMse

Array = np.ndarray[Any, Any]
SHAPE = (4, 5, 6, 3)
PIXELS = math.prod(SHAPE[1:])
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"sigmoid": expit, "tanh": np.tanh, "linear": lambda x: x}
LIKELIHOODS = [Bernoulli(), *(WeightedMse(50.0, activation) for activation in ("sigmoid", "tanh", "linear"))]
each_likelihood = pytest.mark.parametrize(
    "likelihood", LIKELIHOODS, ids=["bernoulli", "mse_sigmoid", "mse_tanh", "mse_linear"]
)


def random(*, low: float, high: float, seed: int = 0) -> Array:
    """Return a batch of uniform values."""
    return np.random.default_rng(seed).uniform(low, high, SHAPE).astype(np.float32)


def cross_entropy(targets: Array, logits: Array) -> Array:
    """Return ``-log p(x|z)`` per image in float64."""
    x, y = targets.astype(np.float64), logits.astype(np.float64)
    return -(x * log_expit(y) + (1 - x) * log_expit(-y)).sum(axis=(1, 2, 3))


@pytest.mark.parametrize("scale", [0.1, 3.0, 50.0])
def test_bernoulli_is_the_cross_entropy(scale: float) -> None:
    targets, logits = random(low=0, high=1), random(low=-scale, high=scale, seed=1)
    np.testing.assert_allclose(
        to_float64(Bernoulli().log_prob(targets, logits)), -cross_entropy(targets, logits), rtol=1e-6, atol=0
    )


def test_bernoulli_of_binary_images_is_scipys() -> None:
    targets, logits = random(low=0, high=1).round(), random(low=-4, high=4, seed=1)
    expected = bernoulli.logpmf(targets, expit(logits.astype(np.float64))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(to_float64(Bernoulli().log_prob(targets, logits)), expected, rtol=1e-6)


@pytest.mark.parametrize("logit", [-50.0, -30.0, 0.0, 30.0, 50.0])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_bernoulli_is_exact_where_the_sigmoid_saturates(logit: float, target: float) -> None:
    targets, logits = np.full(SHAPE, target, np.float32), np.full(SHAPE, logit, np.float32)
    log_prob = to_float64(Bernoulli().log_prob(targets, logits))
    np.testing.assert_allclose(log_prob, -cross_entropy(targets, logits), rtol=1e-6, atol=0)


@given(
    targets=arrays(np.float32, (1, 2, 3, 1), elements=st.floats(0, 1, width=32)),
    logits=arrays(np.float32, (1, 2, 3, 1), elements=st.floats(-50, 50, width=32)),
)
def test_bernoulli_is_a_finite_log_probability_for_any_pixels(targets: Array, logits: Array) -> None:
    log_prob = to_float64(Bernoulli().log_prob(targets, logits))
    assert np.isfinite(log_prob).all()
    assert (log_prob <= 0).all()
    # The tolerance is relative to the logits, because the result is a difference of numbers of their size if x is near 0 or 1.
    np.testing.assert_allclose(log_prob, -cross_entropy(targets, logits), rtol=1e-6, atol=50 * 6 * 2e-7)


def test_bernoulli_minimises_its_negative_log_probability() -> None:
    targets, logits = random(low=0, high=1), random(low=-5, high=5, seed=1)
    loss, log_prob = to_float64(Bernoulli().loss(targets, logits)), to_float64(Bernoulli().log_prob(targets, logits))
    np.testing.assert_array_equal(loss, -log_prob)


@pytest.mark.parametrize("weight", [1.0, 90.0, 1000.0])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_weighted_mse_is_a_gaussian_with_a_fixed_variance(activation: Any, weight: float) -> None:
    targets, outputs = random(low=-1, high=1), random(low=-3, high=3, seed=1)
    means = ACTIVATIONS[activation](outputs.astype(np.float64))
    deviation = math.sqrt(PIXELS / (2 * weight))
    expected = norm.logpdf(targets.astype(np.float64), means, deviation).sum(axis=(1, 2, 3))
    log_prob = to_float64(WeightedMse(weight, activation).log_prob(targets, outputs))
    np.testing.assert_allclose(log_prob, expected, rtol=2e-6, atol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_weighted_mse_minimises_the_weighted_mean_squared_error(activation: Any) -> None:
    targets, outputs = random(low=-1, high=1), random(low=-3, high=3, seed=1)
    means = ACTIVATIONS[activation](outputs.astype(np.float64))
    expected = 1000 * np.square(targets - means).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(to_float64(WeightedMse(1000, activation).loss(targets, outputs)), expected, rtol=2e-6)


def test_the_loss_and_the_negative_log_probability_of_weighted_mse_differ_by_a_constant() -> None:
    likelihood = WeightedMse(1000.0, "sigmoid")
    targets, outputs = random(low=0, high=1), random(low=-3, high=3, seed=1)
    constant = to_float64(likelihood.loss(targets, outputs)) + to_float64(likelihood.log_prob(targets, outputs))
    np.testing.assert_allclose(constant, constant[0], rtol=1e-5)


def test_weighted_mse_of_a_perfect_reconstruction_is_0() -> None:
    outputs = random(low=-3, high=3)
    likelihood = WeightedMse(1000.0, "tanh")
    assert (to_float64(likelihood.loss(likelihood.mean(outputs), outputs)) == 0).all()


@each_likelihood
def test_the_mean_stays_in_its_range(likelihood: Likelihood) -> None:
    low, high = {"tanh": (-1, 1), "linear": (-90, 90)}.get(getattr(likelihood, "activation", "sigmoid"), (0, 1))
    outputs = np.linspace(-90, 90, PIXELS, dtype=np.float32).reshape(1, *SHAPE[1:])
    means = to_float64(likelihood.mean(outputs))
    assert means.shape == outputs.shape
    assert means.min() == pytest.approx(low, abs=1e-6)
    assert means.max() == pytest.approx(high, abs=1e-6)
    assert low <= means.min() <= means.max() <= high
    assert (np.diff(means.ravel()) >= 0).all(), "a larger output is never a darker pixel"


@each_likelihood
def test_every_image_has_its_own_terms(likelihood: Likelihood) -> None:
    targets, outputs = random(low=0, high=1), random(low=-3, high=3, seed=1)
    for term in (likelihood.log_prob, likelihood.loss):
        together = to_float64(term(targets, outputs))
        alone = [to_float64(term(targets[i : i + 1], outputs[i : i + 1]))[0] for i in range(len(targets))]
        assert together.shape == (len(targets),)
        np.testing.assert_allclose(together, alone, rtol=1e-6)


@each_likelihood
def test_half_precision_outputs_give_float32_terms(likelihood: Likelihood) -> None:
    outputs = ops.cast(random(low=-3, high=3), "bfloat16")
    targets = random(low=0, high=1)
    for term in (likelihood.log_prob, likelihood.loss):
        assert keras.backend.standardize_dtype(term(targets, outputs).dtype) == "float32"


@each_likelihood
def test_a_likelihood_can_be_rebuilt_from_its_configuration(likelihood: Likelihood) -> None:
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(likelihood))
    assert type(rebuilt) is type(likelihood)
    assert rebuilt.get_config() == likelihood.get_config()
    targets, outputs = random(low=0, high=1), random(low=-3, high=3, seed=1)
    expected = to_float64(likelihood.log_prob(targets, outputs))
    np.testing.assert_array_equal(to_float64(rebuilt.log_prob(targets, outputs)), expected)


def gaussian(deviation: float, *, activation: Any = "linear") -> Gaussian:
    """Return a Gaussian with this learned standard deviation."""
    likelihood = Gaussian(activation)
    likelihood.log_deviation.assign(math.log(deviation))
    return likelihood


@pytest.mark.parametrize("deviation", [0.03, 0.5, 4.0])
def test_a_gaussian_is_scipys_and_its_loss_is_the_negative_log_probability(deviation: float) -> None:
    targets, outputs = random(low=-1, high=1), random(low=-1, high=1, seed=1)
    expected = norm.logpdf(targets.astype(np.float64), outputs, deviation).sum(axis=(1, 2, 3))
    likelihood = gaussian(deviation)
    np.testing.assert_allclose(to_float64(likelihood.log_prob(targets, outputs)), expected, rtol=1e-5)
    loss, log_prob = to_float64(likelihood.loss(targets, outputs)), to_float64(likelihood.log_prob(targets, outputs))
    np.testing.assert_array_equal(loss, -log_prob)


def test_the_best_deviation_is_the_root_mean_square_and_the_limit_keeps_the_loss_finite() -> None:
    targets, outputs = random(low=-1, high=1), random(low=-1, high=1, seed=1)
    best = float(np.sqrt(np.square(targets.astype(np.float64) - outputs).mean()))
    losses = [to_float64(gaussian(best * factor).loss(targets, outputs)).mean() for factor in (0.9, 1.0, 1.1)]
    assert losses[1] < min(losses[0], losses[2])
    assert np.isfinite(to_float64(gaussian(1e-30).loss(targets, targets))).all()


def test_a_gaussian_keeps_its_deviation_in_a_file(tmp_path: Any) -> None:
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.likelihood = gaussian(0.25, activation="tanh")
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model.likelihood))
    assert rebuilt.activation == "tanh"
    assert [weight.path for weight in rebuilt.trainable_weights] == [rebuilt.log_deviation.path]


def levels(shape: tuple[int, ...]) -> Array:
    """Return all 256 levels, normalised to [-1, 1], one per image: [256, …]."""
    values = np.arange(256, dtype=np.float32) / 127.5 - 1.0
    return np.broadcast_to(values[:, None, None, None], (256, *shape)).copy()


@pytest.mark.parametrize("scale", [-6.0, -3.0, 0.0, 3.0])
@pytest.mark.parametrize("components", [1, 3])
def test_the_levels_of_a_pixel_have_probabilities_that_add_up_to_1(components: int, scale: float) -> None:
    outputs = np.random.default_rng(0).uniform(-1, 1, (1, 1, 1, 3 * components)).astype(np.float32)
    outputs.reshape(3, components)[2] = scale
    log_prob = to_float64(LogisticMixture(components).log_prob(levels((1, 1, 1)), np.repeat(outputs, 256, axis=0)))
    assert np.exp(log_prob).sum() == pytest.approx(1.0, rel=2e-3)


def test_the_probability_of_a_level_is_that_of_its_interval_under_the_logistic_distribution() -> None:
    outputs = np.array([0.3, -0.2, -2.0], np.float32).reshape(1, 1, 1, 3)  # a logit, a mean, a log-scale
    cumulative = logistic(-0.2, math.exp(-2.0)).cdf(np.linspace(-1 - 1 / 255, 1 + 1 / 255, 257))
    expected = np.diff(cumulative)
    expected[0], expected[-1] = cumulative[1], 1.0 - cumulative[-2]
    probabilities = np.exp(to_float64(LogisticMixture(1).log_prob(levels((1, 1, 1)), np.repeat(outputs, 256, axis=0))))
    np.testing.assert_allclose(probabilities, expected, rtol=2e-3, atol=1e-9)


def test_the_mean_of_a_mixture_is_the_weighted_mean_of_its_components() -> None:
    outputs = np.array([math.log(3.0), 0.0, 0.5, -0.5, -2.0, -2.0], np.float32).reshape(1, 1, 1, 6)
    mean = to_float64(LogisticMixture(2).mean(outputs))
    assert mean.shape == (1, 1, 1, 1)
    assert mean.item() == pytest.approx(0.75 * 0.5 - 0.25 * 0.5, rel=1e-5)


def test_each_channel_has_a_mixture_of_its_own() -> None:
    outputs = random(low=-1, high=1)[:, :, :, :1].repeat(2 * 3 * 3, axis=-1) + np.arange(18, dtype=np.float32) / 10
    targets = random(low=-1, high=1)
    mixture = LogisticMixture(2)
    by_channel = [
        to_float64(mixture.log_prob(targets[..., c : c + 1], outputs[..., 6 * c : 6 * c + 6])) for c in range(3)
    ]
    np.testing.assert_allclose(to_float64(mixture.log_prob(targets, outputs)), sum(by_channel), rtol=1e-5)
