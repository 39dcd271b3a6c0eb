"""Copies of an image have hashes close together, and images with close hashes are one group, however many there are."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from helpers.paths import SHARED
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.sparse.csgraph import connected_components

from components.ingest.perceptual import groups, perceptual_hash

CLOTHING = SHARED / "clothing"
DISTANCE = 2  # bits: what separates copies from mere likeness among photographs

Array = np.ndarray[Any, Any]


def one_by_one(hashes: Array, *, distance: int) -> Array:
    """Return the groups, by comparing each with each."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    near = np.bitwise_count(hashes[:, None] ^ hashes[None]) <= distance
    count, numbers = connected_components(near)
    smallest = np.full(count, len(hashes))
    np.minimum.at(smallest, numbers, np.arange(len(hashes)))
    return smallest[numbers]


def flipped(hashes: Array, *, bits: int, rng: np.random.Generator) -> Array:
    """Return the hashes with at most `bits` bits changed."""
    changed = hashes.copy()
    for _ in range(bits):
        changed ^= np.uint64(1) << rng.integers(0, 64, len(hashes)).astype(np.uint64)
    return changed


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 120),
    free=st.integers(1, 64),
    distance=st.integers(0, 16),
)
def test_groups_are_those_that_comparing_each_with_each_finds(seed: int, count: int, free: int, distance: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64) & np.uint64(2**free - 1)
    np.testing.assert_array_equal(groups(hashes, distance=distance), one_by_one(hashes, distance=distance))


@given(
    seed=st.integers(0, 2**32 - 1),
    families=st.integers(1, 12),
    bits=st.integers(0, 6),
    distance=st.integers(0, 12),
)
def test_families_of_copies_are_grouped_as_comparing_each_with_each_does(
    seed: int, families: int, bits: int, distance: int
) -> None:
    rng = np.random.default_rng(seed)
    originals = np.repeat(rng.integers(0, 2**64, families, dtype=np.uint64), 12)
    hashes = rng.permutation(flipped(originals, bits=bits, rng=rng))
    np.testing.assert_array_equal(groups(hashes, distance=distance), one_by_one(hashes, distance=distance))


def test_a_group_is_named_by_its_first_image_and_a_chain_joins_what_lies_far_apart() -> None:
    hashes = np.array([0b1111, 0b111 << 60, 0b0011, 0b0000, 0b111 << 60], np.uint64)
    assert groups(hashes, distance=2).tolist() == [0, 1, 0, 0, 1]  # 0000 and 1111 meet over 0011
    assert groups(hashes, distance=1).tolist() == [0, 1, 2, 3, 1]
    assert groups(hashes, distance=2).dtype == np.int64


@pytest.mark.parametrize("distance", [2, 4])
def test_planted_copies_among_two_hundred_thousand_hashes_are_found(distance: int) -> None:
    rng = np.random.default_rng(5)
    hashes = rng.integers(0, 2**64, 200_000, dtype=np.uint64)
    hashes[180_000:] = flipped(hashes[:20_000], bits=distance, rng=rng)
    roots = groups(hashes, distance=distance)
    np.testing.assert_array_equal(roots[180_000:], roots[:20_000])
    # That two unrelated ones are this close by chance happens in one of a thousand such sets.
    assert len(np.unique(roots)) == 180_000


def test_a_hundred_thousand_blank_images_and_a_crowd_around_them_are_one_group() -> None:
    rng = np.random.default_rng(6)
    blank = np.full(100_000, 2**63, np.uint64)
    hashes = np.concatenate([blank, flipped(blank, bits=4, rng=rng)])
    assert set(groups(hashes, distance=4).tolist()) == {0}


@pytest.mark.parametrize("distance", [-1, 17])
def test_a_distance_out_of_range_is_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"distance: expected 0 to 16 bits, found {distance}"):
        groups(np.zeros(3, np.uint64), distance=distance)


def as_jpeg(image: Image.Image, *, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def bits_between(first: Image.Image, second: Image.Image) -> int:
    return (perceptual_hash(first) ^ perceptual_hash(second)).bit_count()


def test_grey_and_colour_of_one_image_have_one_hash_which_fits_64_bits() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    value = perceptual_hash(image)
    assert value == perceptual_hash(image.convert("L"))
    assert 0 < value < 2**64
    assert int(np.uint64(value)) == value


def test_images_of_one_brightness_share_a_hash() -> None:
    hashes = {perceptual_hash(Image.new("L", size, value)) for size in ((28, 28), (400, 300)) for value in (1, 90, 255)}
    assert len(hashes) == 1


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Every 170th of the real photographs, none of which is another's copy."""
    if not CLOTHING.is_dir():
        pytest.skip(f"the real images are not at {CLOTHING}")
    return [Image.open(path).convert("RGB") for path in sorted(CLOTHING.rglob("*.jpg"))[::170]]


@pytest.mark.shared
def test_a_photograph_encoded_again_shrunk_or_brightened_stays_within_the_distance(photos: list[Image.Image]) -> None:
    for photo in photos:
        assert bits_between(photo, as_jpeg(photo, quality=60)) <= DISTANCE
        shrunk = photo.resize((round(0.7 * photo.width), round(0.7 * photo.height)), Image.Resampling.BICUBIC)
        assert bits_between(photo, shrunk) <= DISTANCE
        assert bits_between(photo, ImageEnhance.Brightness(photo).enhance(1.1)) <= DISTANCE


@pytest.mark.shared
def test_different_photographs_are_groups_of_their_own(photos: list[Image.Image]) -> None:
    hashes = np.array([perceptual_hash(photo) for photo in photos], np.uint64)
    np.testing.assert_array_equal(groups(hashes, distance=DISTANCE), np.arange(len(photos)))
