"""Statistics of the codes of a sampler, measured on codes that are drawn for this alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.code_samplers import CodeSampler, DensitySampler

CODES = 4_000  # drawn of each label
BATCH = 250  # codes drawn at once; the memory for a mixture's factors allows no more


class Calibration:
    """Statistics of a sampler's codes, for each label.

    Args:
        sampler: Sampler of the codes.
        latent_dim: Dimensions of a code, D.
        labelled: Whether the generator takes labels.
    """

    def __init__(self, sampler: CodeSampler, *, latent_dim: int, labelled: bool) -> None:
        self.sampler, self.latent_dim, self.labelled = sampler, latent_dim, labelled
        self.limit, self.deviations = cache(self._limit), cache(self._deviations)

    @property
    def density(self) -> DensitySampler | None:
        """The sampler, if it says how likely a code is."""
        from models.code_samplers import DensitySampler

        return self.sampler if isinstance(self.sampler, DensitySampler) else None

    def codes(self, label: int, temperature: float = 1.0) -> NDArray[np.float32]:
        """Draw codes of a label, by its number; a generator without labels ignores it: [CODES, D]."""
        random = np.random.default_rng(max(label, 0))
        normal = random.standard_normal((CODES, self.latent_dim), np.float32)
        uniform = random.random(CODES, np.float32)
        parts = []
        for start in range(0, CODES, BATCH):
            rows = slice(start, start + BATCH)
            labels = self._labels(label, BATCH)
            codes = self.sampler.codes(normal[rows], uniform[rows], labels, temperature=np.float32(temperature))
            parts.append(np.asarray(codes))
        return np.concatenate(parts)

    def _limit(self, label: int, share: float, temperature: float) -> float:
        """Return the log density, in nats, below which this share of a label's codes lies."""
        assert self.density is not None
        codes = self.codes(label, temperature)
        return float(np.quantile(self.density.log_density(codes, self._labels(label, len(codes))), share))

    def _deviations(self, label: int) -> NDArray[np.float32]:
        """Return the standard deviations of a label's codes: [D]."""
        deviations: NDArray[np.float32] = self.codes(label).std(axis=0)
        return deviations

    def _labels(self, label: int, count: int) -> NDArray[np.int64] | None:
        return np.full(count, label, np.int64) if self.labelled else None
