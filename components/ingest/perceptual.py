"""Near-duplicates: a hash of what an image looks like, and groups of images whose hashes hardly differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS = 64
# Hashes of unrelated images differ in 32 bits on average; beyond a quarter of the bits chance begins to join them.
LARGEST_DISTANCE = 16

_EQUAL_BLOCKS = 2  # that two hashes must share to be compared
_PAIRS = 1 << 19  # compared at once: about 30 MB

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


def perceptual_hash(image: Image.Image) -> int:
    """Return the 64-bit pHash of an image of any size and mode, as ImageHash computes it.

    Each bit says whether one of the 8 × 8 lowest frequencies of the image, in grey and at 32 × 32, is above their median.
    Size, compression and brightness hardly change it; mirroring and cropping do. Colour does not count, and images of
    one brightness all have the same hash. As half of the bits are set, two hashes differ in an even number of bits.
    """
    import imagehash  # here, because it imports scipy's transforms, which takes a fifth of a second

    return int.from_bytes(np.packbits(imagehash.phash(image).hash).tobytes(), "big")


def groups(hashes: Hashes, *, distance: int) -> Indices:
    """Group near-duplicates: two images share a group if a chain of steps of at most `distance` bits joins them.

    Hashes that differ in at most `distance` bits agree in at least two of `distance + 2` blocks of bits. So only hashes
    that agree in two blocks are compared (Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", 2007),
    and of these only those that no chain joins yet. Hence neither a hundred thousand blank images nor many similar
    hashes are all compared with each other.

    Args:
        hashes: [n].
        distance: Bits, 0 to 16.

    Returns:
        For each image the index of the first image of its group: [n].

    Raises:
        ValueError: The distance is out of range.
    """
    if not 0 <= distance <= LARGEST_DISTANCE:
        raise ValueError(f"distance: expected 0 to {LARGEST_DISTANCE} bits, found {distance}")
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    roots = np.arange(len(unique))  # each hash's group so far, named by its smallest member
    masks = _masks(distance)
    for mask in masks:
        # Neighbours in this order often agree in more than the two blocks, so most of a large group is joined before
        # pairs are listed.
        order = np.argsort(unique & mask, kind="stable")
        _join_near(roots, unique, order[:-1], order[1:], distance=distance)
    for mask in masks:
        for left, right in _candidates(unique & mask, roots.copy()):
            _join_near(roots, unique, left, right, distance=distance)
    smallest = first.copy()
    np.minimum.at(smallest, roots, first)
    return smallest[roots][inverse]


def _masks(distance: int) -> list[np.uint64]:
    """Return the bits of every choice of two of `distance + 2` blocks.

    A block's bits are spread out, so that frequencies in which all images agree are divided among all blocks.
    """
    count = distance + _EQUAL_BLOCKS
    blocks = [sum(1 << bit for bit in range(start, BITS, count)) for start in range(count)]
    return [np.uint64(sum(pair)) for pair in combinations(blocks, _EQUAL_BLOCKS)]


def _candidates(masked: Hashes, roots: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of indices whose masked hashes agree and whose roots differ, some at a time."""
    order = np.lexsort((roots, masked))
    count = len(order)
    new_bucket = np.flatnonzero(np.diff(masked[order])) + 1
    new_group = np.union1d(new_bucket, np.flatnonzero(np.diff(roots[order])) + 1)
    ends = np.append(new_bucket, count)[np.searchsorted(new_bucket, np.arange(count), side="right")]
    starts = np.append(new_group, count)[np.searchsorted(new_group, np.arange(count), side="right")]
    # In this order, place i has to be compared with the places from starts[i] to ends[i].
    partners = ends - starts
    places = np.flatnonzero(partners)
    partners, starts = partners[places], starts[places]
    pairs_before = np.cumsum(partners) - partners
    begin = 0
    while begin < len(places):
        end = max(begin + 1, int(np.searchsorted(pairs_before, pairs_before[begin] + _PAIRS)))
        repeats = partners[begin:end]
        offsets = pairs_before[begin:end] - pairs_before[begin]
        left = np.repeat(places[begin:end], repeats)
        right = np.arange(len(left)) + np.repeat(starts[begin:end] - offsets, repeats)
        yield order[left], order[right]
        begin = end


def _join_near(roots: Indices, hashes: Hashes, left: Indices, right: Indices, *, distance: int) -> None:
    """Join the groups of those pairs that differ in at most `distance` bits, in place."""
    near = np.bitwise_count(hashes[left] ^ hashes[right]) <= distance
    left, right = left[near], right[near]
    while True:
        left, right = roots[left], roots[right]
        apart = left != right
        if not apart.any():
            return
        left, right = left[apart], right[apart]
        np.minimum.at(roots, np.maximum(left, right), np.minimum(left, right))
        # Each round doubles the steps, so that even a chain of all hashes is followed in a few rounds.
        while ((next_roots := roots[roots]) != roots).any():
            roots[:] = next_roots
