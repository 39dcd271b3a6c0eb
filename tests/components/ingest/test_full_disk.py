"""A disk that fills while shards are written: one clear line, what was there before stays, and the command continues."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.ingest_command import ended, examples, ingest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with little room."""
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(tmp_path)], capture_output=True, check=False
        )
    except OSError:
        mounted = None
    if mounted is None or mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_one_line_and_loses_nothing(home: Path, small_disk: Path, workers: int) -> None:
    runs = str(small_disk / "runs")
    few, many = ("preprocess.crops_per_image=2",), ("preprocess.crops_per_image=64",)
    assert ended(ingest(home, runs, few, workers=workers)) == (0, "")
    digest = examples(home, runs).digest
    status, said = ended(ingest(home, runs, many, workers=workers))
    assert status == 1
    assert said.splitlines()[-1].startswith(f"error: {runs}/photos: expected room on the disk, found none left")
    assert examples(home, runs).digest == digest
    examples(home, runs).check(thorough=True)
    subprocess.run(["mount", "-o", "remount,size=1g", str(small_disk)], check=True)
    assert ended(ingest(home, runs, many, workers=workers)) == (0, "")
    assert examples(home, runs).digest != digest
    examples(home, runs).check(thorough=True)
