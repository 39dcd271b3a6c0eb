"""Noise that belongs to an image: it depends on (seed, index) alone. Loads TensorFlow.

This is the only layout of noise: image i of a seed has the same noise in an evaluation, in the pictures of a training and in
a generator. Philox is counter-based (Salmon et al. 2011): the seed is its key, an image has counters of its own, and each kind
of noise has a stream of its own, the upper half of a counter. So the noise of any images is drawn without that of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.code_samplers import CodeSampler

Tensor = Any

_PHILOX = 1  # tf.random.Algorithm.PHILOX
_CODES, _LABELS, _COMPONENTS, _PIXELS = range(4)  # streams: upper halves of counters
_PER_COUNTER = 4  # a Philox block holds four 32-bit words, of which TensorFlow makes four numbers


def standard_normal(seed: int, *, start: int, count: int, size: int) -> NDArray[np.float32]:
    """Draw from N(0, I) for the images `start` to `start + count` of a seed: [count, size]."""
    with tf.device("CPU"):  # a GPU's arithmetic may differ in the last bit
        return np.asarray(_normal(seed, start=start, count=count, size=size))


def sampled_codes(
    sampler: CodeSampler, seed: Any, *, start: Any, count: Any, latent_dim: int, labels: Any, temperature: Any
) -> Tensor:
    """Draw the codes of the images `start` to `start + count` of a seed from a sampler: [count, latent_dim], float32."""
    normal = _normal(seed, start=start, count=count, size=latent_dim)
    uniform = _uniform(seed, counter=start, count=count, stream=_COMPONENTS)[:, 0]
    return sampler.codes(normal, uniform, labels, temperature=temperature)


def seeded_labels(seed: Any, *, start: Any, count: Any, shares: Sequence[float]) -> Tensor:
    """Draw labels for the images `start` to `start + count` of a seed by their shares: [count], int64."""
    uniform = _uniform(seed, counter=start, count=count, stream=_LABELS)[:, 0]
    begins = np.cumsum(shares)[:-1].astype(np.float32)  # where the second label begins, the third, …
    return tf.searchsorted(begins, uniform, side="right", out_type=tf.int64)


def binarised(pixels: NDArray[np.uint8], *, seed: int, start: int) -> NDArray[np.uint8]:
    """Draw images whose pixels are 0 or 255, with their brightness as probability of 255: [count, H, W, C].

    This is dynamic binarisation (Burda et al. 2016, section 5.1).

    Args:
        pixels: Images [count, H, W, C], the first of which has the number `start`.
        seed: Seed of the noise.
        start: Number of the first image.
    """
    size = math.prod(pixels.shape[1:])
    blocks = math.ceil(size / _PER_COUNTER)
    with tf.device("CPU"):
        uniform = _uniform(seed, counter=start * blocks, count=len(pixels), stream=_PIXELS, size=blocks * _PER_COUNTER)
    brightness = pixels.reshape(len(pixels), size) / np.float32(255)
    drawn = np.where(np.asarray(uniform)[:, :size] < brightness, np.uint8(255), np.uint8(0))
    return drawn.reshape(pixels.shape)


def _normal(seed: Any, *, start: Any, count: Any, size: int) -> Tensor:
    """Draw from N(0, I), as many counters for each image as it needs: [count, size]."""
    blocks = math.ceil(size / _PER_COUNTER)
    counter = tf.stack([tf.cast(start, tf.uint64) * blocks, tf.constant(_CODES, tf.uint64)])
    normals = tf.raw_ops.StatelessRandomNormalV2(
        shape=tf.stack([count, blocks * _PER_COUNTER]),
        key=tf.cast(seed, tf.uint64)[None],
        counter=counter,
        alg=_PHILOX,
    )
    return normals[:, :size]


def _uniform(seed: Any, *, counter: Any, count: Any, stream: int, size: int = _PER_COUNTER) -> Tensor:
    """Draw from [0, 1), from a counter of a stream on: [count, size]."""
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([count, size]),
        key=tf.cast(seed, tf.uint64)[None],
        counter=tf.stack([tf.cast(counter, tf.uint64), tf.constant(stream, tf.uint64)]),
        alg=_PHILOX,
    )
