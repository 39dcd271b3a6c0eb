"""Codes that follow from given ones, and are not drawn: of each image its own, whichever others are made."""

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
class Given:
    """M codes, and what becomes of them.

    With kind `codes`, image i is code i. With `around`, it is code i mod M, plus `strength` times deviations times noise from
    N(0, 1) that depends on (seed, i) alone. With `between`, image i is step i mod S of S on the straight line from code
    i // S to the next one.

    Attributes:
        kind: One of `schemas.recipe.generate.CODE_SOURCES`.
        means: [M, D].
        deviations: Of codes of new images of the same label: [M, D].
        labels: Numbers of labels, from 0; -1: none: [M].
        names: Where each comes from.
        strength: As above.
        steps: S.
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
        """How many images there are; None: there is no end to them."""
        if self.kind == "around":
            return None
        return len(self.means) if self.kind == "codes" else (len(self.means) - 1) * self.steps

    def codes(self, seed: int, start: int) -> NDArray[np.float32]:
        """Of the images start to start + BLOCK; beyond the last one, its own again: [BLOCK, D]."""
        indices = self._indices(start)
        if self.kind == "between":
            first, shares = self._places(indices)
            found = self.means[first] + shares[:, None] * (self.means[first + 1] - self.means[first])
        else:
            chosen = indices % len(self.means)
            found = self.means[chosen]
            if self.kind == "around":
                from components.latents.noise import standard_normal  # loads TensorFlow

                noise = standard_normal(seed, start=start, count=BLOCK, size=self.means.shape[1])
                found = found + np.float32(self.strength) * self.deviations[chosen] * noise
        return found.astype(np.float32)

    def numbers(self, start: int) -> NDArray[np.int64]:
        """Labels of the same images; on a line, of the nearer end: [BLOCK]."""
        indices = self._indices(start)
        if self.kind == "between":
            first, shares = self._places(indices)
            return self.labels[first + (shares >= 0.5)]
        return self.labels[indices % len(self.means)]

    def source(self, index: int) -> str:
        """Where an image's code comes from."""
        if self.kind == "between":
            way, step = divmod(index, self.steps)
            return f"{self.names[way]} to {self.names[way + 1]}, {step + 1} of {self.steps}"
        return self.names[index % len(self.means)]

    def save(self, path: Path) -> None:
        """Writes the codes, for workers."""
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            names = np.array(list(self.names), np.str_)
            np.savez(file, means=self.means, deviations=self.deviations, labels=self.labels, names=names)

    @classmethod
    def load(cls, path: Path, wanted: GenerateSection) -> Given:
        """What `save` has written, and what a recipe says is to become of it."""
        assert wanted.code_source is not None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays: dict[str, Any] = dict(found)
        names = arrays.pop("names").tolist()
        return cls(wanted.code_source[0], **arrays, names=names, strength=wanted.strength, steps=wanted.steps)

    def _indices(self, start: int) -> NDArray[np.int64]:
        found = np.arange(start, start + BLOCK, dtype=np.int64)
        return found if self.available is None else np.minimum(found, self.available - 1)

    def _places(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        first, step = np.divmod(indices, self.steps)
        return first, (step / (self.steps - 1)).astype(np.float32)
