"""Paths that lead to no images: pipes and devices, which reading would wait for, and file systems that are not there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from components.sources import files, open_source
from schemas.errors import UsageError
from schemas.recipe.sources import Source

KINDS = ("folder", "zip", "tar", "webdataset", "parquet", "array", "table", "idx")


def open_at(kind: str, path: object) -> None:
    """Open a source of this kind at a path."""
    open_source(TypeAdapter(Source).validate_python({"kind": kind, "path": str(path)}))  # type: ignore[arg-type]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return a pipe that nobody writes into."""
    path = tmp_path / "train-images-idx3-ubyte"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipe_or_a_device_is_refused_in_one_line(kind: str, pipe: Path) -> None:
    for path in (str(pipe), "/dev/zero", str(pipe.parent / "train-*"), str(pipe.parent / "{train,}-images-idx3-ubyte")):
        expected = r"^sources\.path: expected a file or folder, found (a pipe or a device|nothing) at "
        with pytest.raises(UsageError, match=expected) as error:
            open_at(kind, path)
        assert "\n" not in str(error.value)


def test_a_link_to_a_pipe_is_refused_like_the_pipe(pipe: Path) -> None:
    (pipe.parent / "photos").symlink_to(pipe)
    with pytest.raises(
        UsageError, match=f"found a pipe or a device at {re.escape(str(pipe.parent / 'photos'))}; write"
    ):
        open_at("folder", pipe.parent / "photos")


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipe_within_a_source_is_not_read(kind: str, pipe: Path) -> None:
    for name in ("a.npy", "b.npz", "c.parquet", "d.tar", "e.zip", "f.csv", "train-labels-idx1-ubyte"):
        os.mkfifo(pipe.parent / name)
    try:
        source = open_source(TypeAdapter(Source).validate_python({"kind": kind, "path": str(pipe.parent)}))  # type: ignore[arg-type]
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert list(source.parts()) == []
        assert len(source.digest()) == 64


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("s3", "the extra `aws`"),
        ("gs", "the extra `gcp`"),
        ("azfs", r"apache-beam\[azure\]"),
        ("hdfs", r"apache-beam\[hadoop\]"),
    ],
)
def test_a_file_system_without_its_package_is_one_error_that_names_what_brings_it(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_installed", lambda module: False)
    path = f"{scheme}://bucket/a.png"
    message = f"no file system for {scheme}:// here; install {package}$"
    for read in (files.open_file, files.size_of, files.digest_of, files.is_file, files.is_folder):
        with pytest.raises(OSError, match=f"^{message}"):
            read(path)
    assert list(files.digests([path])) == ["unreadable"]
    with pytest.raises(UsageError, match=rf"^sources\.path: expected a file or folder at {path}, found {message}"):
        open_at("folder", path)


def test_a_scheme_that_nothing_reads_is_one_line() -> None:
    message = r"^sources\.path: expected .* at zzz://b, found no file system for zzz:// here \(Unable to get filesystem"
    with pytest.raises(UsageError, match=message) as error:
        open_at("folder", "zzz://b")
    assert "\n" not in str(error.value)
