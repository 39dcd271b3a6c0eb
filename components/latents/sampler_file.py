"""The file of a sampler of codes: its kind and its arrays, as NumPy's .npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from models.code_samplers import CodeSampler
from models.sampler_arrays import from_arrays
from schemas import atomic
from schemas.errors import DataError


def save_sampler(sampler: CodeSampler, path: Path) -> None:
    """Write a sampler; the same sampler gives the same bytes."""
    with atomic.replacing(path) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = sampler.arrays()
        np.savez(file, kind=np.array(sampler.kind), **arrays)


def read_sampler(path: Path) -> CodeSampler:
    """Read a sampler that `save_sampler` has written.

    Raises:
        DataError: The file is missing, damaged, or no sampler.
    """
    try:
        # Opened here, because NumPy does not close a file that is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = dict(content)
        return from_arrays(str(arrays.pop("kind")), arrays)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path}: expected a sampler of codes, found something else ({error}); to make it again, remove {path.parent}"
        ) from None
