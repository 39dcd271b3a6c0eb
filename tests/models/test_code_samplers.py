"""Codes have the distribution of their sampler, and each code depends only on its own noise."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest, multivariate_normal, norm

from models.code_samplers import AggregatePosterior, CodeSampler, LearnedPrior, Mixture, Normal, UniformBox
from models.sampler_arrays import from_arrays

Array = np.ndarray[Any, Any]
COUNT = 40_000
COVARIANCES = np.array(
    [[[1.0, 0.6, 0.0], [0.6, 0.5, 0.1], [0.0, 0.1, 2.0]], [[0.3, -0.2, 0.1], [-0.2, 0.4, 0.0], [0.1, 0.0, 0.2]]]
)
CENTRES = np.array([[0.0, 20.0, 0.0], [-20.0, 0.0, 5.0]], np.float32)


def mixture() -> Mixture:
    """Return two components far apart, and a third with share 0."""
    factors = np.zeros((1, 3, 3, 3), np.float32)
    factors[0, :2] = np.linalg.cholesky(COVARIANCES)
    means = np.full((1, 3, 3), 1000.0, np.float32)
    means[0, :2] = CENTRES
    return Mixture(np.array([[0.3, 0.7, 0.0]], np.float32), means, factors)


def labelled_mixture() -> Mixture:
    """Return two components for each of three labels, with means from 0 to 500 that tell them apart."""
    shares = np.array([[0.5, 0.5], [1.0, 0.0], [0.1, 0.9]], np.float32)
    means = 100 * np.arange(6, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    return Mixture(shares, means.reshape(3, 2, 3), np.tile(np.eye(3, dtype=np.float32), (3, 2, 1, 1)))


def posterior() -> AggregatePosterior:
    """Return the posteriors of five images, with means from 0 to 400, of three labels; the second label has none."""
    means = 100 * np.arange(5, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    deviations = np.linspace(0.5, 2.0, 15, dtype=np.float32).reshape(5, 3)
    return AggregatePosterior(means, deviations, np.array([0, 2, 2, 5], np.int32), 0.5)


SAMPLERS: dict[str, CodeSampler] = {
    "normal": Normal(3),
    "prior": LearnedPrior(
        np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]], np.float32),
        np.array([[-3.0, 0.0], [0.0, 3.0]], np.float32),
        np.array([[0.1, 0.2], [0.3, 0.4]], np.float32),
        3,
    ),
    "uniform": UniformBox(np.array([-1.0, 10.0, 0.5], np.float32), np.array([3.0, 11.0, 0.5], np.float32)),
    "mixture": mixture(),
    "labelled mixture": labelled_mixture(),
    "posterior": posterior(),
}
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def noise(count: int = COUNT, *, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return normal and uniform draws for codes of three dimensions, and their labels."""
    random = np.random.default_rng(seed)
    return (
        random.standard_normal((count, 3), np.float32),
        random.random(count, np.float32),
        random.integers(0, 3, count),
    )


def draw(sampler: CodeSampler, *, temperature: float = 1.0) -> Array:
    """Return the codes of `noise`."""
    return np.asarray(sampler.codes(*noise(), temperature=temperature))


@every_sampler
def test_a_code_does_not_depend_on_its_batch(sampler: CodeSampler) -> None:
    normal, uniform, labels = noise(300)
    whole = np.asarray(sampler.codes(normal, uniform, labels))
    assert (whole.shape, whole.dtype) == ((300, 3), np.float32)
    for first, last in ((0, 1), (7, 9), (100, 300)):
        part = sampler.codes(normal[first:last], uniform[first:last], labels[first:last])
        np.testing.assert_array_equal(np.asarray(part), whole[first:last])


@every_sampler
def test_a_graph_draws_the_same_codes(sampler: CodeSampler) -> None:
    @tf.function
    def codes(normal: Any, uniform: Any, labels: Any, temperature: Any) -> Any:
        return sampler.codes(normal, uniform, labels, temperature=temperature)

    draws = noise(300)
    expected = np.asarray(sampler.codes(*draws, temperature=0.7))
    np.testing.assert_allclose(codes(*map(tf.constant, draws), tf.constant(0.7)), expected, rtol=1e-5, atol=1e-5)


@every_sampler
def test_a_sampler_can_be_rebuilt_from_its_arrays(sampler: CodeSampler) -> None:
    stream = BytesIO()
    np.savez(stream, **sampler.arrays())
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        rebuilt = from_arrays(sampler.kind, arrays)
    assert type(rebuilt) is type(sampler)
    for name, values in sampler.arrays().items():
        np.testing.assert_array_equal(rebuilt.arrays()[name], values)
        assert rebuilt.arrays()[name].dtype == values.dtype
    np.testing.assert_array_equal(draw(rebuilt), draw(sampler))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a kind of sampler, found 'fractal'"):
        from_arrays("fractal", {})


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
def test_the_prior_is_the_noise_times_the_temperature(temperature: float) -> None:
    np.testing.assert_array_equal(
        draw(SAMPLERS["normal"], temperature=temperature), noise()[0] * np.float32(temperature)
    )


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_box_is_filled_evenly_and_shrinks_around_its_centre(temperature: float) -> None:
    codes = draw(SAMPLERS["uniform"], temperature=temperature)
    centre, half = np.array([1.0, 10.5]), temperature * np.array([2.0, 0.5])
    shares = (codes[:, :2] - (centre - half)) / (2 * half)
    assert shares.min() >= -1e-5 and shares.max() <= 1 + 1e-5
    for column in shares.T:
        assert kstest(column, "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(codes[:, 2], 0.5)  # a box of no width


def test_a_draws_place_in_a_box_is_its_share_of_the_normal_distribution() -> None:
    normal = np.linspace(-8, 8, 100_001, dtype=np.float32)[:, None]
    box = UniformBox(np.zeros(1, np.float32), np.ones(1, np.float32))
    places = np.asarray(box.codes(normal, np.zeros(len(normal), np.float32)))
    np.testing.assert_allclose(places, norm.cdf(normal), atol=3e-7)
    assert places.min() >= 0 and places.max() <= 1


def test_a_box_without_temperature_is_its_centre() -> None:
    codes = draw(SAMPLERS["uniform"], temperature=0.0)
    np.testing.assert_allclose(codes, np.tile([1.0, 10.5, 0.5], (COUNT, 1)))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_mixture_has_its_shares_means_and_covariances(temperature: float) -> None:
    codes = draw(mixture(), temperature=temperature)
    second = codes[:, 0] < -10
    assert second.mean() == pytest.approx(0.7, abs=0.01)
    for component, members in enumerate((codes[~second], codes[second])):
        np.testing.assert_allclose(members.mean(axis=0), CENTRES[component], atol=0.05)
        np.testing.assert_allclose(np.cov(members.T), temperature**2 * COVARIANCES[component], atol=0.06)


def test_a_mixture_without_temperature_draws_its_means() -> None:
    np.testing.assert_allclose(np.unique(draw(mixture(), temperature=0.0), axis=0), CENTRES[[1, 0]])


def test_a_share_of_0_is_never_drawn_even_if_rounding_reaches_it() -> None:
    shares = np.array([[0.0, 0.3, 0.0, 0.69999, 0.0]], np.float32)
    means = np.arange(5, dtype=np.float32).reshape(1, 5, 1)
    sampler = Mixture(shares, means, np.zeros((1, 5, 1, 1), np.float32))
    uniform = np.array([0.0, 0.29, 0.31, 0.999999, 1.0])  # a float64 draw just below 1 is 1 in float32
    np.testing.assert_array_equal(np.asarray(sampler.codes(np.zeros((5, 1)), uniform))[:, 0], [1, 1, 3, 3, 3])


def test_each_label_draws_from_its_own_components() -> None:
    labels = noise()[2]
    component = np.round(draw(labelled_mixture(), temperature=0.1)[:, 0] / 100)
    shares = [[np.mean(component[labels == label] == number) for number in range(6)] for label in range(3)]
    np.testing.assert_allclose(shares, [[0.5, 0.5, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0.1, 0.9]], atol=0.02)


def test_the_aggregate_posterior_draws_the_rows_of_a_label_evenly_and_any_row_for_a_label_without_rows() -> None:
    labels = noise()[2]
    row = np.round(draw(posterior())[:, 1] / 100)
    shares = [[np.mean(row[labels == label] == number) for number in range(5)] for label in range(3)]
    expected = [[0.5, 0.5, 0, 0, 0], [0.2] * 5, [0, 0, 1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(shares, expected, atol=0.02)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
def test_the_aggregate_posterior_spreads_each_row_by_bandwidth_and_temperature(temperature: float) -> None:
    sampler = posterior()
    codes = draw(sampler, temperature=temperature)
    row = np.round(codes.mean(axis=1) / 100).astype(int)
    for number in range(5):
        members = codes[row == number]
        np.testing.assert_allclose(members.mean(axis=0), sampler.means[number], atol=0.05)
        expected = temperature * 0.5 * sampler.deviations[number]
        np.testing.assert_allclose(members.std(axis=0, dtype=np.float64), expected, atol=0.03)


def test_no_draw_reaches_the_rows_of_the_next_label() -> None:
    codes = posterior().codes(np.zeros((3, 3)), np.array([0.0, 0.9999999, 1.0]), np.zeros(3, np.int64))
    np.testing.assert_array_equal(np.asarray(codes)[:, 0], [0, 100, 100])


@pytest.mark.parametrize("sampler", [labelled_mixture(), posterior()], ids=["mixture", "posterior"])
def test_a_sampler_of_several_labels_needs_the_labels(sampler: CodeSampler) -> None:
    with pytest.raises(ValueError, match="labels: expected the label of each code, one of 3, found none"):
        sampler.codes(*noise(2)[:2])


def test_a_sampler_of_one_label_ignores_labels() -> None:
    normal, uniform, labels = noise(50)
    for sampler in (mixture(), AggregatePosterior(CENTRES, np.ones_like(CENTRES), np.array([0, 2], np.int32), 1.0)):
        without, with_labels = sampler.codes(normal, uniform), sampler.codes(normal, uniform, labels)
        np.testing.assert_array_equal(np.asarray(without), np.asarray(with_labels))


def by_scipy(sampler: CodeSampler, code: Array, label: int) -> float:
    """Return the density of a code, computed by SciPy from the parameters of the sampler."""

    def normal(mean: Array, deviations: Array) -> float:
        return float(multivariate_normal.pdf(code, mean, np.diag(np.square(deviations))))

    if isinstance(sampler, Normal):
        return normal(np.zeros(3), np.ones(3))
    if isinstance(sampler, UniformBox):
        inside = bool(np.all((code >= sampler.low) & (code <= sampler.high)))
        return inside / 4.0  # the third dimension has no width
    if isinstance(sampler, LearnedPrior):
        first = zip(sampler.shares[label], sampler.means, sampler.deviations, strict=True)
        return sum(share * normal(np.append(mean, 0), np.append(deviation, 1)) for share, mean, deviation in first)
    if isinstance(sampler, Mixture):
        index = label if len(sampler.shares) > 1 else 0
        components = zip(sampler.shares[index], sampler.means[index], sampler.factors[index], strict=True)
        return sum(
            share * float(multivariate_normal.pdf(code, mean, factor @ factor.T))
            for share, mean, factor in components
            if share
        )
    assert isinstance(sampler, AggregatePosterior)
    first, last = sampler.starts[label : label + 2]
    rows = range(first, last) if last > first else range(5)
    return float(np.mean([normal(sampler.means[row], sampler.bandwidth * sampler.deviations[row]) for row in rows]))


@every_sampler
def test_the_density_is_that_of_the_distribution(sampler: CodeSampler) -> None:
    labels = noise(60)[2]
    codes = np.asarray(sampler.codes(*noise(60)), np.float64)
    expected = np.log([by_scipy(sampler, code, label) for code, label in zip(codes, labels, strict=True)])
    np.testing.assert_allclose(sampler.log_density(codes.astype(np.float32), labels), expected, rtol=1e-3, atol=2e-3)


def test_the_density_outside_a_box_is_0() -> None:
    assert SAMPLERS["uniform"].log_density(np.array([[0.0, 12.0, 0.5]], np.float32)) == -np.inf


def test_a_mixture_of_one_component_is_a_normal_distribution() -> None:
    factor = np.linalg.cholesky(COVARIANCES[0]).astype(np.float32)
    single = Mixture(np.ones((1, 1), np.float32), CENTRES[None, 1:], factor[None, None])
    normal = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    codes = np.asarray(single.codes(normal, np.linspace(0, 0.999, 5, dtype=np.float32)))
    assert np.allclose(codes, CENTRES[1] + normal @ factor.T, atol=1e-5)


def test_a_mixture_knows_which_component_a_code_is_from() -> None:
    normal, uniform, labels = noise(200)
    alone, labelled = mixture(), labelled_mixture()
    np.testing.assert_array_equal(alone.components(np.asarray(alone.codes(normal, uniform))), uniform >= 0.3)
    codes = np.asarray(labelled.codes(normal, uniform, labels))
    expected = np.round(codes.mean(axis=1) / 100) - 2 * labels
    np.testing.assert_array_equal(labelled.components(codes, labels), expected)
