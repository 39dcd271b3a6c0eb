"""The kernel distance between two sets of features; of Inception's features it is the KID."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1000  # images of each set in a block
RESAMPLES = 2000  # of the bootstrap
Features = NDArray[Any]  # [images, dimensions]


@dataclass(frozen=True)
class Interval:
    """A value and its confidence interval of 95%; None where there is only one block, which gives no interval."""

    value: float
    low: float | None
    high: float | None


def kernel_distance(first: Features, second: Features, *, seed: int, block: int = BLOCK) -> Interval:
    """Return the mean over disjoint random blocks of the unbiased MMD² under ``k(x, y) = (x·y / D + 1)³``.

    Bińkowski et al. 2018, "Demystifying MMD GANs", section 4; the estimator is Gretton et al. 2012, equation 3. Because it
    is unbiased, it may be below zero where sets are alike, and can be compared between sets of different sizes. The interval
    is a bootstrap over blocks.

    Args:
        first: [n, D], n at least 2.
        second: [m, D], m at least 2.
        seed: Seed of the blocks and of the bootstrap.
        block: Images of each set in a block, at most.
    """
    random = np.random.default_rng(seed)
    blocks = max(1, min(len(first), len(second)) // block)
    orders = [np.array_split(random.permutation(len(features)), blocks) for features in (first, second)]
    values = np.array(
        [
            _mmd(first[one].astype(np.float64), second[other].astype(np.float64))
            for one, other in zip(*orders, strict=True)
        ]
    )
    if blocks == 1:
        return Interval(float(values[0]), None, None)
    means = values[random.integers(0, blocks, (RESAMPLES, blocks))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(values.mean()), float(low), float(high))


def _mmd(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    n, m = len(first), len(second)
    kernels = (_kernel(first, first), _kernel(second, second))
    one, other = (
        (kernel.sum() - np.trace(kernel)) / (size * (size - 1)) for kernel, size in zip(kernels, (n, m), strict=True)
    )
    return float(one + other - 2.0 * _kernel(first, second).mean())


def _kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = (first @ second.T / first.shape[1] + 1.0) ** 3
    return kernel
