"""What the generator draws, in TensorFlow: it depends on (seed, index) alone, for any stretch of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.code_samplers import CodeSampler

_PHILOX = 1  # tf.random.Algorithm.PHILOX
_LABELS, _COMPONENTS = 1, 2  # upper halves of counters
_PER_COUNTER = 4  # a Philox block holds four 32-bit words, of which TensorFlow makes four numbers


def seeded_codes(seed: Any, *, start: Any, count: Any, latent_dim: int) -> Any:
    """Codes from N(0, I) for the images `start` to `start + count` of a seed: [count, latent_dim], float32.

    Philox is counter-based (Salmon et al. 2011): with the seed as key and as many counters per image as its code needs,
    code i depends on (seed, i) alone, and any stretch of codes is drawn without those before it.
    """
    blocks = math.ceil(latent_dim / _PER_COUNTER)
    counter = tf.stack([tf.cast(start, tf.uint64) * blocks, tf.constant(0, tf.uint64)])
    normals = tf.raw_ops.StatelessRandomNormalV2(
        shape=tf.stack([count, blocks * _PER_COUNTER]),
        key=tf.cast(seed, tf.uint64)[None],
        counter=counter,
        alg=_PHILOX,
    )
    return normals[:, :latent_dim]


def sampled_codes(
    sampler: CodeSampler, seed: Any, *, start: Any, count: Any, latent_dim: int, labels: Any, temperature: Any
) -> Any:
    """Codes of the images `start` to `start + count` of a seed, as a sampler draws them: [count, latent_dim], float32."""
    normal = seeded_codes(seed, start=start, count=count, latent_dim=latent_dim)
    uniform = _uniform(seed, start=start, count=count, stream=_COMPONENTS)
    return sampler.codes(normal, uniform, labels, temperature=temperature)


def seeded_labels(seed: Any, *, start: Any, count: Any, shares: Sequence[float]) -> Any:
    """Labels for the images `start` to `start + count` of a seed, drawn by their shares: [count], int64."""
    uniform = _uniform(seed, start=start, count=count, stream=_LABELS)
    begins = np.cumsum(shares)[:-1].astype(np.float32)  # where the second label begins, the third, …
    return tf.searchsorted(begins, uniform, side="right", out_type=tf.int64)


def _uniform(seed: Any, *, start: Any, count: Any, stream: int) -> Any:
    """Draws from [0, 1), one per image: [count]. As the codes, from counters of their own: another upper half."""
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([count, _PER_COUNTER]),
        key=tf.cast(seed, tf.uint64)[None],
        counter=tf.stack([tf.cast(start, tf.uint64), tf.constant(stream, tf.uint64)]),
        alg=_PHILOX,
    )[:, 0]
