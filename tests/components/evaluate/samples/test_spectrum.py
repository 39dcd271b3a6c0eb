"""Spectra say how much of each fineness of detail images have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from components.evaluate.samples.spectrum import spectra_of, spectral_distance

Array = np.ndarray[Any, Any]


def noise(seed: int, *, deviation: float = 0.1, shape: tuple[int, ...] = (50, 28, 28, 1)) -> Array:
    """Return images of white noise."""
    return np.random.default_rng(seed).normal(0.5, deviation, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(200, 28, 28, 1), (200, 31, 20, 3)])
def test_white_noise_has_its_variance_as_power_at_every_radius(shape: tuple[int, ...]) -> None:
    power = spectra_of(noise(0, shape=shape))
    assert power.shape == (shape[0], shape[3], min(shape[1:3]) // 2)
    np.testing.assert_allclose(power.mean(axis=0), 0.01, rtol=0.15)


def test_a_wave_has_its_power_at_its_own_radius() -> None:
    wave = 0.5 + 0.2 * np.sin(2 * np.pi * 5 * np.arange(32) / 32, dtype=np.float32)
    images = np.broadcast_to(wave[:, None], (1, 32, 32))[..., None].astype(np.float32)
    assert spectra_of(images)[0, 0].argmax() == 5 - 1  # the first radius is 1


def test_doubled_contrast_is_six_decibels_away() -> None:
    images = noise(0)
    assert spectral_distance(spectra_of(images), spectra_of(2 * images)) == pytest.approx(6.02, abs=0.1)


def test_more_blur_is_farther_away() -> None:
    real = spectra_of(noise(0))
    blurred = [spectra_of(gaussian_filter(noise(1), (0, blur, blur, 0))) for blur in (0.0, 0.5, 1.0, 2.0)]
    distances = [spectral_distance(real, spectra) for spectra in blurred]
    assert distances == sorted(distances)
    assert distances[0] < 0.5 < distances[1]


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))
def test_images_of_any_size_have_spectra_and_without_detail_no_power(height: int, width: int, channels: int) -> None:
    flat = spectra_of(np.full((2, height, width, channels), 0.25, np.float32))
    assert flat.shape[:2] == (2, channels)
    assert spectral_distance(flat, flat) == 0.0
    np.testing.assert_allclose(flat, 0.0, atol=1e-9)
