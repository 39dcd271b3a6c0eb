"""The file of a sampler holds it whole, and a damaged one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.latents.sampler_file import read_sampler, save_sampler
from models.code_samplers import UniformBox
from schemas.errors import DataError

BOX = UniformBox(np.array([-1.0, 0.0], np.float32), np.array([1.0, 3.0], np.float32))


def test_a_saved_sampler_is_read_as_it_was(tmp_path: Path) -> None:
    save_sampler(BOX, tmp_path / "box.npz")
    box = read_sampler(tmp_path / "box.npz")
    assert isinstance(box, UniformBox)
    np.testing.assert_array_equal([box.low, box.high], [BOX.low, BOX.high])


def test_the_same_sampler_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.npz", "other.npz"):
        save_sampler(BOX, tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", None])
def test_an_error_names_a_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "sampler.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"sampler\.npz: expected a sampler of codes, found something else"):
        read_sampler(path)
