"""Fitted samplers draw codes like those of the posteriors, for any number of images and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from components.latents.fitted_samplers import MAX_COMPONENTS, MAX_ROWS, fit_samplers
from models.code_samplers import AggregatePosterior, CodeSampler, Mixture, Normal, UniformBox
from schemas.errors import DataError

Array = np.ndarray[Any, Any]
COUNT = 20_000


def fitted(
    means: Array, variances: float | Array, *, labels: Array | None = None, seed: int = 0
) -> tuple[UniformBox, Mixture, AggregatePosterior]:
    """Fit the three samplers; their order and kinds are checked here."""
    with np.errstate(divide="ignore"):
        log_variances = np.log(np.broadcast_to(variances, means.shape)).astype(np.float32)
    count = 0 if labels is None else int(labels.max()) + 1
    samplers = fit_samplers(means.astype(np.float32), log_variances, labels=labels, label_count=count, seed=seed)
    box, mixture, posterior = samplers
    assert isinstance(box, UniformBox) and isinstance(mixture, Mixture) and isinstance(posterior, AggregatePosterior)
    for sampler in samplers:
        for values in sampler.arrays().values():
            assert np.isfinite(values).all()
    np.testing.assert_allclose(mixture.shares.sum(axis=1), 1.0, atol=1e-5)
    return box, mixture, posterior


def draw(sampler: CodeSampler, dims: int, *, label: int | None = None, count: int = COUNT) -> Array:
    """Draw codes, all of one label where there are several."""
    random = np.random.default_rng(1)
    labels = None if label is None else np.full(count, label)
    return np.asarray(sampler.codes(random.standard_normal((count, dims)), random.random(count), labels))


def two_clusters(count: int = 3000) -> Array:
    """Return means, a third of them about (-2, 0) and the rest about (2, 1)."""
    random = np.random.default_rng(2)
    centres = np.array([[-2.0, 0.0], [2.0, 1.0]])[(np.arange(count) % 3 > 0).astype(int)]
    means: Array = centres + 0.3 * random.standard_normal((count, 2))
    return means


def test_a_mixture_fits_two_clusters_between_which_the_prior_has_codes() -> None:
    _, mixture, posterior = fitted(two_clusters(), 0.05)
    normal = Normal(2)
    assert 2 <= mixture.shares.shape[1] <= 10
    between = {kind: np.mean(np.abs(draw(kind, 2)[:, 0]) < 0.5) for kind in (normal, mixture, posterior)}
    assert between[normal] > 0.3
    assert max(between[mixture], between[posterior]) < 0.002
    for sampler in (mixture, posterior):
        codes = draw(sampler, 2)
        right = codes[:, 0] > 0
        assert right.mean() == pytest.approx(2 / 3, abs=0.02)
        np.testing.assert_allclose(codes[right].mean(axis=0), [2.0, 1.0], atol=0.05)
        np.testing.assert_allclose(codes[~right].std(axis=0), np.sqrt(0.09 + 0.05), atol=0.03)


def test_a_normal_distribution_is_fitted_with_its_full_covariance() -> None:
    factor = np.array([[1.0, 0, 0], [0.8, 0.5, 0], [-0.4, 0.2, 0.6]])
    means = np.random.default_rng(3).standard_normal((8000, 3)) @ factor.T + [0.0, 1.0, -2.0]
    _, mixture, _ = fitted(means, [0.1, 0.2, 0.3])
    codes = draw(mixture, 3)
    np.testing.assert_allclose(codes.mean(axis=0), [0.0, 1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(np.cov(codes.T), factor @ factor.T + np.diag([0.1, 0.2, 0.3]), atol=0.06)


def test_unused_dimensions_are_standard_normal() -> None:
    means = np.concatenate([two_clusters(), 0.01 * np.random.default_rng(4).standard_normal((3000, 6))], axis=1)
    _, mixture, posterior = fitted(means, [0.05, 0.05, *[1.0] * 6])
    assert mixture.shares.shape[1] >= 2
    for sampler in (mixture, posterior):
        codes = draw(sampler, 8)
        for unused in range(2, 8):
            assert kstest(codes[:, unused], "norm").pvalue > 1e-3
        correlations = np.corrcoef(codes.T) - np.eye(8)
        assert np.abs(correlations[2:]).max() < 0.04


def test_a_model_that_uses_no_dimension_has_the_prior() -> None:
    _, mixture, posterior = fitted(np.zeros((500, 3)), 1.0)
    np.testing.assert_allclose(mixture.factors[0, 0], np.eye(3), atol=1e-5)
    for sampler in (mixture, posterior):
        assert kstest(draw(sampler, 3).ravel(), "norm").pvalue > 1e-3


def test_the_box_spans_the_means() -> None:
    means = two_clusters().astype(np.float32)
    box, _, _ = fitted(means, 0.05)
    np.testing.assert_array_equal(box.low, means.min(axis=0))
    np.testing.assert_array_equal(box.high, means.max(axis=0))


def test_each_label_has_its_own_distribution() -> None:
    means = two_clusters()
    labels = (means[:, 0] > 0).astype(np.int64)
    _, mixture, posterior = fitted(means, 0.05, labels=labels)
    assert mixture.means.shape[:1] == (2,) and len(posterior.starts) == 3
    for sampler in (mixture, posterior):
        for label, centre in enumerate(([-2.0, 0.0], [2.0, 1.0])):
            codes = draw(sampler, 2, label=label)
            assert ((codes[:, 0] > 0) == bool(label)).mean() > 0.999
            np.testing.assert_allclose(codes.mean(axis=0), centre, atol=0.05)
            np.testing.assert_allclose(codes.std(axis=0), np.sqrt(0.09 + 0.05), atol=0.03)


def test_labels_have_fewer_components_each() -> None:
    angle = np.random.default_rng(5).uniform(0, 2 * np.pi, 6000)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    _, alone, _ = fitted(ring, 0.001)
    _, of_ten, _ = fitted(ring, 0.001, labels=np.arange(6000) % 10)
    assert alone.shares.shape == (1, 40)
    assert of_ten.shares.shape == (10, 5) and of_ten.shares.size <= MAX_COMPONENTS
    radii = np.linalg.norm(draw(alone, 2), axis=1)
    assert radii.mean() == pytest.approx(1.0, abs=0.02) and radii.std() < 0.1


def test_a_label_with_few_codes_has_the_covariance_of_all_about_its_own_mean() -> None:
    random = np.random.default_rng(6)
    means = random.standard_normal((400, 5)) * [1.0, 0.5, 0.5, 0.5, 2.0]
    labels = np.zeros(400, np.int64)
    labels[:6], labels[6] = 1, 3  # six codes, none, and one
    means[:6] += 3.0
    _, mixture, posterior = fitted(means, 0.1, labels=labels)
    expected = np.cov(means.T, bias=True) + 0.1 * np.eye(5)
    for label, centre in ((1, means[:6].mean(axis=0)), (2, means.mean(axis=0)), (3, means[6])):
        codes = draw(mixture, 5, label=label)
        np.testing.assert_allclose(codes.mean(axis=0), centre, atol=0.06)
        np.testing.assert_allclose(np.cov(codes.T), expected, atol=0.2)
    np.testing.assert_array_equal(posterior.starts, [0, 393, 399, 399, 400])
    np.testing.assert_allclose(draw(posterior, 5, label=3).mean(axis=0), means[6], atol=0.02)
    np.testing.assert_allclose(draw(posterior, 5, label=2).mean(axis=0), means.mean(axis=0), atol=0.06)


@pytest.mark.parametrize("images", [1, 2, 3, 7])
def test_few_images(images: int) -> None:
    means = np.random.default_rng(7).standard_normal((images, 4))
    _, mixture, posterior = fitted(means, 0.2)
    for sampler in (mixture, posterior):
        codes = draw(sampler, 4)
        np.testing.assert_allclose(codes.mean(axis=0), means.mean(axis=0), atol=0.05)
        np.testing.assert_allclose(codes.var(axis=0), means.var(axis=0) + 0.2, atol=0.06)


@pytest.mark.parametrize("images", [1, 2, 4, 12, 40])
def test_one_latent_dimension(images: int) -> None:
    means = np.random.default_rng(8).standard_normal((images, 1))
    _, mixture, _ = fitted(means, 0.2)
    assert draw(mixture, 1).std() == pytest.approx(np.sqrt(means.var() + 0.2), rel=0.35)


def test_a_plain_autoencoder_has_codes_without_spread_and_dimensions_that_never_change() -> None:
    means = np.concatenate([50 * two_clusters(), np.full((3000, 1), 7.0)], axis=1)
    _, mixture, posterior = fitted(means, 0.0)
    codes = draw(mixture, 3)
    assert (codes[:, 0] > 0).mean() == pytest.approx(2 / 3, abs=0.02)
    np.testing.assert_allclose(codes[:, 2], 7.0, atol=1.0)
    assert not posterior.deviations.any()


def test_few_distinct_codes_are_fitted_without_a_warning() -> None:
    means = two_clusters(3)[np.arange(300) % 3]
    _, mixture, _ = fitted(means, 0.0)
    nearest = np.abs(draw(mixture, 2)[:, None] - means[None, :3]).max(axis=2).min(axis=1)
    assert np.mean(nearest < 0.1) > 0.99


def test_the_aggregate_posterior_has_rows_of_every_label_up_to_its_limit() -> None:
    random = np.random.default_rng(9)
    labels = (random.random(3 * MAX_ROWS) < 0.01).astype(np.int64) * 2
    means = random.standard_normal((len(labels), 2)) + labels[:, None] * 10
    _, _, posterior = fitted(means, 0.1, labels=labels)
    first, rare = MAX_ROWS // 3, int((labels == 2).sum())
    np.testing.assert_array_equal(posterior.starts, [0, first, first, first + rare])
    assert posterior.means[:first].mean() < 1 and posterior.means[first:].mean() > 19
    _, _, alone = fitted(means, 0.1)
    assert alone.means.shape == (MAX_ROWS, 2) and len(np.unique(alone.means, axis=0)) == MAX_ROWS


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    means, labels = two_clusters(1000), np.arange(1000) % 2
    for image_labels in (None, labels):
        first, again, other = (fitted(means, 0.05, labels=image_labels, seed=seed) for seed in (3, 3, 4))
        for one, two in zip(first, again, strict=True):
            for name, values in one.arrays().items():
                np.testing.assert_array_equal(two.arrays()[name], values)
        assert not np.array_equal(first[1].means, other[1].means)


@pytest.mark.parametrize("log_variance", [np.nan, np.inf, 200.0])  # e²⁰⁰ is beyond float32
def test_a_posterior_that_is_not_finite_is_refused(log_variance: float) -> None:
    log_variances = np.zeros((30, 2), np.float32)
    log_variances[3, 1] = log_variance
    with pytest.raises(DataError, match="for every training image, found NaN or infinity for 1 of 30"):
        fit_samplers(np.zeros((30, 2), np.float32), log_variances, labels=None, label_count=0, seed=0)
