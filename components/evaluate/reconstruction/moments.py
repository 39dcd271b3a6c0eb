"""Means with their standard errors, computed batch by batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A mean over images and its standard error, sd / √n; None for a single image, which has no sd."""

    value: float
    standard_error: float | None


class Moments:
    """Mean and variance of rows that come in batches, in float64 (Chan, Golub & LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Any = 0.0
        self._squares: Any = 0.0  # sum of squared deviations from the mean

    def add(self, rows: NDArray[Any]) -> None:
        """Add a batch: [n, …], n at least 1."""
        values = rows.astype(np.float64)
        mean = values.mean(axis=0)
        total = self.count + len(values)
        shift = mean - self.mean
        self._squares = self._squares + np.square(values - mean).sum(axis=0)
        self._squares = self._squares + np.square(shift) * (self.count * len(values) / total)
        self.mean = self.mean + shift * (len(values) / total)
        self.count = total

    @property
    def variance(self) -> Any:
        """Unbiased variance of the rows, zero for a single row: […]."""
        return self._squares / max(self.count - 1, 1)

    def estimate(self) -> Estimate:
        """Return the mean of scalar rows, with its standard error."""
        error = math.sqrt(self.variance / self.count) if self.count > 1 else None
        return Estimate(float(self.mean), error)
