"""Folders of any depth are walked through, in the order of `os.walk`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.small_images import png

from components.sources import files, open_source
from components.sources.walking import walk_folders
from schemas.errors import UsageError
from schemas.recipe.sources import FolderSource

DEPTH = sys.getrecursionlimit() + 500


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which folders are nested deeper than Python's functions may be; the last one holds an image."""
    folder = tmp_path
    for start in range(0, DEPTH, 500):
        folder = folder.joinpath(*"d" * min(500, DEPTH - start))
        folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(png(1))
    yield tmp_path
    top = tmp_path
    while folder != top:  # `shutil.rmtree` calls itself, too
        shutil.rmtree(folder)
        folder = folder.parent


def test_folders_deeper_than_pythons_recursion_are_walked(deep: Path) -> None:
    source = open_source(FolderSource(kind="folder", path=str(deep)))
    assert [part.names for part in source.parts()] == [["d/" * DEPTH + "a.png"]]
    assert len(source.digest()) == 64


def test_a_pattern_over_folders_that_are_too_deep_is_refused_in_one_line(deep: Path) -> None:
    with pytest.raises(UsageError, match=r"found folders too deep in each other for `\*\*`; give the folder$"):
        files.find(FolderSource(kind="folder", path=f"{deep}/**/*.png"))


def test_order_and_links_are_those_of_os_walk(tmp_path: Path) -> None:
    for name in ("a/b/1", "a/2", "c/3", "4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "loop").symlink_to(tmp_path)
    assert list(walk_folders(str(tmp_path), closed=lambda error: None)) == list(os.walk(tmp_path))


def test_folders_that_are_taken_out_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    visited = []
    for folder, folders, _ in walk_folders(str(tmp_path), closed=lambda error: None):
        visited.append(folder)
        folders[:] = [name for name in folders if name != "b"]
    assert visited == [str(tmp_path), str(tmp_path / "a")]


def test_a_folder_that_vanishes_is_said(tmp_path: Path) -> None:
    errors: list[OSError] = []
    assert list(walk_folders(str(tmp_path / "gone"), closed=errors.append)) == []
    assert [error.filename for error in errors] == [str(tmp_path / "gone")]
