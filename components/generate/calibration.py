"""What codes of a generator are like, by many of them that are drawn for this alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.code_samplers import CodeSampler

CODES = 4_000  # of each label


class Calibration:
    """Codes of each label.

    Args:
        sampler: That they are drawn from.
        latent_dim: D, of a code.
        labelled: Whether the generator takes labels.
    """

    def __init__(self, sampler: CodeSampler, *, latent_dim: int, labelled: bool) -> None:
        self.sampler, self.latent_dim, self.labelled = sampler, latent_dim, labelled
        self.limit, self.deviations = cache(self._limit), cache(self._deviations)

    def codes(self, label: int, temperature: float = 1.0) -> NDArray[np.float32]:
        """So many of a label, by its number, which does not matter where there are none: [CODES, D]."""
        random = np.random.default_rng(max(label, 0))
        normal = random.standard_normal((CODES, self.latent_dim), np.float32)
        uniform = random.random(CODES, np.float32)
        parts = []
        for first in range(0, CODES, 250):  # as many at once as a mixture's factors allow
            at = slice(first, first + 250)
            asked = normal[at], uniform[at], self._labels(label, 250)
            parts.append(np.asarray(self.sampler.codes(*asked, temperature=np.float32(temperature))))
        return np.concatenate(parts)

    def _limit(self, label: int, share: float, temperature: float) -> float:
        """Log density that such a share of a label's codes is below, in nats."""
        codes = self.codes(label, temperature)
        return float(np.quantile(self.sampler.log_density(codes, self._labels(label, len(codes))), share))

    def _deviations(self, label: int) -> NDArray[np.float32]:
        """Standard deviations of a label's codes: [D]."""
        found: NDArray[np.float32] = self.codes(label).std(axis=0)
        return found

    def _labels(self, label: int, count: int) -> NDArray[np.int64] | None:
        return np.full(count, label, np.int64) if self.labelled else None
