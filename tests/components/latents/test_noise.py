"""An image's noise belongs to its seed and index: it is the same for any other images that are drawn with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kstest

from components.latents.noise import binarised, sampled_codes, seeded_labels, standard_normal
from models.code_samplers import Normal, UniformBox

seeds = st.integers(0, 2**63 - 1)
sizes = st.sampled_from([1, 3, 4, 5, 8, 17])


@given(
    seed=seeds,
    start=st.integers(0, 2**40),
    count=st.integers(0, 50),
    size=sizes,
    ends=st.tuples(*[st.floats(0, 1)] * 2),
)
def test_any_stretch_of_images_can_be_drawn_alone(
    seed: int, start: int, count: int, size: int, ends: tuple[float, float]
) -> None:
    whole = standard_normal(seed, start=start, count=count, size=size)
    assert (whole.shape, whole.dtype) == ((count, size), np.float32)
    first, last = sorted(int(end * count) for end in ends)
    part = standard_normal(seed, start=start + first, count=last - first, size=size)
    np.testing.assert_array_equal(part, whole[first:last])


@pytest.mark.parametrize("size", [1, 3, 4, 5])
def test_noise_far_into_a_long_draw_can_be_drawn_alone(size: int) -> None:
    # Long enough that TensorFlow divides the draw among threads.
    longer = standard_normal(7, start=0, count=100_000, size=size)
    for index in (0, 1, 255, 256, 65_537, 99_999):
        np.testing.assert_array_equal(standard_normal(7, start=index, count=1, size=size)[0], longer[index])


@given(seed=seeds, other=seeds, index=st.integers(0, 2**40), size=sizes)
def test_another_seed_or_another_image_has_other_noise(seed: int, other: int, index: int, size: int) -> None:
    here = standard_normal(seed, start=index, count=8, size=size)
    same_seed = np.array_equal(standard_normal(other, start=index, count=8, size=size), here)
    assert same_seed == (seed == other)
    assert not np.array_equal(standard_normal(seed, start=index + 1, count=8, size=size), here)


@pytest.mark.parametrize("size", [1, 3, 4, 5])
def test_no_two_images_of_a_seed_share_noise(size: int) -> None:
    noise = standard_normal(7, start=0, count=1000, size=size)
    assert len({row.tobytes() for row in noise}) == 1000


@pytest.mark.parametrize("size", [1, 3, 4])
def test_noise_is_standard_normal_and_independent_between_images_and_dimensions(size: int) -> None:
    count = 100_000
    noise = standard_normal(11, start=0, count=count, size=size).astype(np.float64)
    error = 1 / np.sqrt(count)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=5 * error)
    np.testing.assert_allclose(noise.std(axis=0), 1.0, atol=5 * error)
    for dimension in range(size):
        assert kstest(noise[:, dimension], "norm").pvalue > 1e-4
    correlation = np.corrcoef(np.vstack([noise.T, np.roll(noise, 1, axis=0).T]))  # also with the image before
    np.testing.assert_allclose(correlation, np.eye(2 * size), atol=5 * error)


def test_codes_of_the_prior_are_the_noise_itself() -> None:
    codes = sampled_codes(Normal(3), 5, start=2, count=4, latent_dim=3, labels=None, temperature=1.0)
    np.testing.assert_array_equal(codes, standard_normal(5, start=2, count=4, size=3))


def test_any_sampler_draws_an_images_code_from_its_own_noise() -> None:
    box = UniformBox(np.array([-1.0, 2.0], np.float32), np.array([1.0, 6.0], np.float32))

    def draw(start: int, count: int) -> NDArray[Any]:
        return np.asarray(sampled_codes(box, 5, start=start, count=count, latent_dim=2, labels=None, temperature=1.0))

    codes = draw(0, 500)
    np.testing.assert_array_equal(draw(100, 50), codes[100:150])
    assert (codes >= box.low).all() and (codes <= box.high).all()
    assert kstest((codes[:, 1] - 2) / 4, "uniform").pvalue > 1e-4


def test_labels_are_drawn_by_their_shares_from_an_images_own_noise() -> None:
    labels = np.asarray(seeded_labels(5, start=0, count=10_000, shares=[0.25, 0.5, 0.25]))
    np.testing.assert_allclose(np.bincount(labels) / 10_000, [0.25, 0.5, 0.25], atol=0.02)
    np.testing.assert_array_equal(seeded_labels(5, start=70, count=9, shares=[0.25, 0.5, 0.25]), labels[70:79])
    # Labels have a stream of their own: what an image shows does not follow from where its code lies.
    assert abs(np.corrcoef(labels, standard_normal(5, start=0, count=10_000, size=1)[:, 0])[0, 1]) < 0.05


@pytest.mark.parametrize("shape", [(20, 20, 1), (5, 3, 3)])
def test_an_image_is_binarised_the_same_in_any_batch(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, *shape), np.uint8)
    whole = binarised(pixels, seed=3, start=10)
    assert (whole.shape, whole.dtype) == (pixels.shape, np.uint8)
    assert set(np.unique(whole)) == {0, 255}
    np.testing.assert_array_equal(whole[4:], binarised(pixels[4:], seed=3, start=14))
    assert not np.array_equal(whole, binarised(pixels, seed=4, start=10))
    assert abs(whole.mean() - pixels.mean()) < 5 * 127 / np.sqrt(pixels.size)


def test_black_stays_black_and_white_stays_white() -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (5, 9, 9, 1), np.uint8) * np.uint8(255)
    np.testing.assert_array_equal(binarised(pixels, seed=1, start=0), pixels)
