"""Ingest on a job service and a pool of workers, which are processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.beam_cluster import running_cluster
from helpers.waits import wait_until

from schemas.artifacts.kinds import Examples
from schemas.hashing import sha256_of
from schemas.recipe.sources import FolderSource


@pytest.mark.process
def test_workers_of_a_pool_write_the_bytes_that_one_process_writes(
    tmp_path: Path,
    write_photos: Callable[..., Path],
    ingest_into: Callable[..., tuple[Examples, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_photos(tmp_path / "home" / "photos", 60)
    monkeypatch.chdir(tmp_path / "home")  # the pool runs in another folder
    source = FolderSource(kind="folder", path="photos")

    def digests(folder: Path, **beam: Any) -> dict[str, str]:
        examples, _ = ingest_into(folder, source, crop="baked", crops_per_image=4, **beam)
        paths = (path for path in examples.path.rglob("*") if path.is_file())
        return {path.relative_to(examples.path).as_posix(): sha256_of(path) for path in paths}

    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster") as cluster:
        remote = digests(Path("remote"), options=cluster.options())
        wait_until(lambda: not cluster.workers(), "all workers end")
    assert remote == digests(Path("local"))
