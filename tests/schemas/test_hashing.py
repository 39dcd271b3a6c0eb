"""Digests of many files come in order, and their number does not change the memory used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.hashing import LARGE, MAX_QUEUED, digests, sha256_of_each


def test_large_and_small_files_are_hashed_in_order(tmp_path: Path) -> None:
    contents = [b"", b"small", bytes(LARGE - 1), bytes(LARGE), b"x" * (3 * LARGE), b"last"]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert list(sha256_of_each(paths)) == [hashlib.sha256(content).hexdigest() for content in contents]


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"1")
    with pytest.raises(FileNotFoundError, match="gone"):
        list(sha256_of_each([tmp_path / "there", tmp_path / "gone"]))


def test_names_are_read_as_they_are_needed() -> None:
    count = 0

    def names() -> Iterator[str]:
        nonlocal count
        while True:
            count += 1
            yield f"/nowhere/{count}"

    results = digests(names(), lambda path: path)
    assert [next(results) for _ in range(3)] == ["/nowhere/1", "/nowhere/2", "/nowhere/3"]
    assert count <= MAX_QUEUED
