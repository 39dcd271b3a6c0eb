"""The sliced Wasserstein distance of patches sees blur, and where in the pyramid detail is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from components.evaluate.samples.patches import PATCHES, SIDE, laplacian_pyramid, patches_of, sliced_wasserstein

Array = np.ndarray[Any, Any]


def noise(seed: int, *, count: int = 200, side: int = 28, channels: int = 1) -> Array:
    """Return images of white noise around grey, [count, side, side, channels]."""
    values = np.random.default_rng(seed).normal(0.5, 0.15, (count, side, side, channels))
    return values.clip(0, 1).astype(np.float32)


def distances(real: Array, other: Array) -> list[float]:
    """Return the distance of each level."""
    return list(map(sliced_wasserstein, patches_of(real, start=0), patches_of(other, start=0)))


@given(st.integers(4, 70), st.integers(4, 70), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_bands_of_the_pyramid_add_up_to_the_image(height: int, width: int, channels: int, seed: int) -> None:
    images = np.random.default_rng(seed).random((2, height, width, channels), np.float32)
    *bands, rest = laplacian_pyramid(images)
    for band in reversed(bands):
        sparse = np.zeros_like(band)
        sparse[:, ::2, ::2] = rest
        kernel = np.array([1, 4, 6, 4, 1]) / 8  # twice the smoothing kernel: only every second pixel is there
        for axis in (1, 2):
            mirrored = np.pad(sparse, [(2, 2) if at == axis else (0, 0) for at in range(4)], mode="reflect")
            length = sparse.shape[axis]
            sparse = sum(
                weight * np.take(mirrored, np.arange(length) + at, axis=axis) for at, weight in enumerate(kernel)
            )
        rest = band + sparse
    np.testing.assert_allclose(rest, images, atol=1e-5)


@pytest.mark.parametrize(("side", "levels"), [(4, 1), (27, 1), (28, 2), (64, 3), (128, 4)])
def test_levels_end_where_a_patch_would_be_half_the_image(side: int, levels: int) -> None:
    patches = patches_of(noise(0, count=2, side=side), start=0)
    assert len(patches) == levels
    assert all(level.shape == (2, PATCHES, min(side, SIDE) ** 2, 1) for level in patches)


def test_the_same_images_are_at_distance_0_and_others_of_their_kind_near_it() -> None:
    images = noise(0)
    assert distances(images, images) == [0.0, 0.0]
    assert max(distances(images, noise(1))) < 0.05


@pytest.mark.parametrize("channels", [1, 3])
def test_more_blur_is_farther_away_first_of_all_at_the_finest_level(channels: int) -> None:
    real, other = noise(0, channels=channels), noise(1, channels=channels)
    by_blur = [distances(real, gaussian_filter(other, (0, blur, blur, 0))) for blur in (0.5, 1.0, 2.0)]
    finest = [levels[0] for levels in by_blur]
    assert finest == sorted(finest)
    assert by_blur[0][0] > by_blur[0][1]


def test_weaker_detail_is_seen_because_the_real_set_gives_the_scale() -> None:
    real = noise(0)
    weaker = 0.5 + 0.5 * (noise(1) - 0.5)
    # Half of a normal value's mean size, √(2 / π), is missing, along any direction.
    assert distances(real, weaker)[0] == pytest.approx(0.5 * np.sqrt(2 / np.pi), abs=0.04)


def test_images_are_cut_at_the_same_places_however_they_are_batched() -> None:
    images = noise(0)
    whole = patches_of(images, start=0)
    parts = [patches_of(images[:150], start=0), patches_of(images[150:], start=150)]
    for level, of_level in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(level, np.concatenate(of_level))


def test_sets_of_different_sizes_are_refused() -> None:
    real, other = (patches_of(noise(0, count=count), start=0)[0] for count in (4, 5))
    with pytest.raises(ValueError, match=r"expected patches of shape \(4, 16, 49, 1\), found \(5, 16, 49, 1\)"):
        sliced_wasserstein(real, other)


def test_a_set_without_any_detail_has_a_finite_distance() -> None:
    flat = np.full((4, 28, 28, 1), 0.5, np.float32)
    assert np.isfinite(distances(flat, flat)).all()
    assert np.isfinite(distances(flat, noise(0, count=4))).all()
