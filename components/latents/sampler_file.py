"""A sampler of codes in a file: its arrays and its kind, as NumPy's .npz."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from models.code_samplers import CodeSampler, from_arrays
from schemas import atomic
from schemas.errors import DataError


def save_sampler(sampler: CodeSampler, path: Path) -> None:
    """Writes it: the same sampler gives the same bytes."""
    with atomic.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, kind=np.array(sampler.kind), **sampler.arrays())


def read_sampler(path: Path) -> CodeSampler:
    """What `save_sampler` has written.

    Raises:
        DataError: The file holds something else.
    """
    try:
        # Opened here: NumPy leaves a file open that turns out to be broken.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = dict(found)
        return from_arrays(str(arrays.pop("kind")), arrays)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path}: expected a sampler of codes, found something else ({error}); to make it again, remove {path.parent}"
        ) from None
