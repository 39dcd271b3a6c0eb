"""A disk that becomes full while shards are written: ingest says so, and resumes when there is room."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts.kinds import Examples
from schemas.hashing import sha256_of


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a separate file system with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        )
    except OSError:
        mount = None
    if mount is None or mount.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_an_error_of_the_system_and_ingest_resumes_when_there_is_room(
    tmp_path: Path,
    small_disk: Path,
    write_photos: Callable[..., Path],
    ingest_into: Callable[..., tuple[Examples, Any]],
) -> None:
    photos = write_photos(tmp_path / "photos", 60)

    def ingest(folder: Path) -> dict[str, str]:
        examples, _ = ingest_into(folder, photos, height=16, width=16, crop="baked", crops_per_image=64)
        return {path.name: sha256_of(path) for path in examples.path.rglob("*") if path.is_file()}

    with pytest.raises(OSError, match="No space left on device") as error:
        ingest(small_disk)
    assert error.value.errno == errno.ENOSPC
    subprocess.run(["mount", "-o", "remount,size=1g", str(small_disk)], check=True)
    assert ingest(small_disk) == ingest(tmp_path / "elsewhere")
