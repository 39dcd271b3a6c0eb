"""Pointers of Git LFS are known by their first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.small_images import png

from components.sources.git_lfs import is_pointer, is_pointer_at
from components.sources.parquet_columns import images_in
from schemas.errors import DataError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 12345\n"


@pytest.mark.parametrize(("start", "expected"), [(POINTER, True), (b"version 1", False), (b"", False), (png(1), False)])
def test_pointers_are_known(tmp_path: Path, start: bytes, expected: bool) -> None:
    (tmp_path / "a").write_bytes(start)
    assert is_pointer(start) == is_pointer_at(str(tmp_path / "a")) == expected


def test_what_cannot_be_read_is_no_pointer(tmp_path: Path) -> None:
    assert not is_pointer_at(str(tmp_path))
    assert not is_pointer_at(str(tmp_path / "gone"))


def test_a_parquet_file_that_is_a_pointer_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(POINTER)
    with pytest.raises(DataError, match=r"a\.parquet: expected a whole Parquet file, found a Git LFS pointer: run `"):
        images_in(str(tmp_path / "a.parquet"))
