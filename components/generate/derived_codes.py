"""Codes that are computed from a person's own codes instead of drawn; each depends on its image's index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import atomic
from schemas.recipe.generate import BLOCK, GenerateSection


@dataclass(frozen=True)
class DerivedCodes:
    """Codes of new images, computed from M codes.

    With kind `codes`, image i has code i. With `around`, it has code i mod M, plus `strength` times the deviations times the
    noise of the generator's image i of the seed. With `between`, image i is step i mod S of S on the straight line from code
    i // S to the next one.

    Attributes:
        kind: One of `schemas.recipe.generate.CODE_SOURCES`.
        means: The M codes: [M, D].
        deviations: Standard deviations of the codes of new images of the same label: [M, D].
        labels: Numbers of the codes' labels, from 0; -1 for none: [M].
        names: Name of the image, or of the table's row, that each code comes from.
        strength: Width of the noise, for `around`.
        steps: Images on each line, S, for `between`.
    """

    kind: str
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: Sequence[str]
    strength: float = 1.0
    steps: int = 2

    @property
    def available(self) -> int | None:
        """Number of images that there are; None where there is no limit."""
        if self.kind == "around":
            return None
        return len(self.means) if self.kind == "codes" else (len(self.means) - 1) * self.steps

    def codes(self, seed: int, start: int) -> NDArray[np.float32]:
        """Return the codes of the images start to start + BLOCK; the last code repeats beyond the last image: [BLOCK, D]."""
        indices = self._indices(start)
        if self.kind == "between":
            first, shares = self._places(indices)
            codes = self.means[first] + shares[:, None] * (self.means[first + 1] - self.means[first])
        else:
            rows = indices % len(self.means)
            codes = self.means[rows]
            if self.kind == "around":
                from components.latents.noise import standard_normal  # loads TensorFlow

                noise = standard_normal(seed, start=start, count=BLOCK, size=self.means.shape[1])
                codes = codes + np.float32(self.strength) * self.deviations[rows] * noise
        return codes.astype(np.float32)

    def numbers(self, start: int) -> NDArray[np.int64]:
        """Return the labels' numbers of the same images; on a line, the label of the nearer end: [BLOCK]."""
        indices = self._indices(start)
        if self.kind == "between":
            first, shares = self._places(indices)
            return self.labels[first + (shares >= 0.5)]
        return self.labels[indices % len(self.means)]

    def source(self, index: int) -> str:
        """Return where the code of an image comes from, for the set's table."""
        if self.kind == "between":
            line, step = divmod(index, self.steps)
            return f"{self.names[line]} to {self.names[line + 1]}, {step + 1} of {self.steps}"
        return self.names[index % len(self.means)]

    def save(self, path: Path) -> None:
        """Write the codes to a file, for workers."""
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            names = np.array(list(self.names), np.str_)
            np.savez(file, means=self.means, deviations=self.deviations, labels=self.labels, names=names)

    @classmethod
    def load(cls, path: Path, section: GenerateSection) -> DerivedCodes:
        """Read what `save` has written; the recipe's section says how new codes are computed from it."""
        assert section.code_source is not None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays: dict[str, Any] = dict(content)
        names = arrays.pop("names").tolist()
        return cls(section.code_source[0], **arrays, names=names, strength=section.strength, steps=section.steps)

    def _indices(self, start: int) -> NDArray[np.int64]:
        indices = np.arange(start, start + BLOCK, dtype=np.int64)
        return indices if self.available is None else np.minimum(indices, self.available - 1)

    def _places(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the first code of each image's line, and the share of the line that lies before the image."""
        first, step = np.divmod(indices, self.steps)
        return first, (step / (self.steps - 1)).astype(np.float32)
