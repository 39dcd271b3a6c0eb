"""The process of a stage: what the system refuses is one line, and two runs never write the same artifact at once."""

from __future__ import annotations

import errno
import fcntl
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.chain_by_hand import STAGE, Make

from pipeline.core import stage_process
from pipeline.core.chain import artifact_path
from pipeline.core.stage_process import main, run_task, task_for
from schemas.artifacts import locks
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "/runs/photos: expected room on the disk, found none left (No space left on device); "
            "run the same command again to resume",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/a/file"), "/a/file: Permission denied; run the same"),
        (OSError(errno.EIO, "Input/output error"), "a file: Input/output error; run the same"),
    ],
)
def test_what_the_system_refuses_is_one_line(error: OSError, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise error

    task = json.dumps({"final": "/runs/photos/examples"}).encode()
    monkeypatch.setattr(stage_process, "run_task", refuse)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(task)))
    with pytest.raises(DataError) as caught:
        main()
    assert str(caught.value).startswith(expected)


def test_an_error_without_a_number_is_a_bug_and_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError("decoder failed")

    monkeypatch.setattr(stage_process, "run_task", fail)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"{}")))
    with pytest.raises(OSError, match="decoder failed"):
        main()


def test_a_second_run_of_the_same_stage_is_refused(make: Make, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.0)
    path = artifact_path(make(), Examples, runs=runs)
    path.parent.mkdir(parents=True)
    with (path.parent / f".lock-{path.name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="expected no other run, found one that is writing there; wait for it"):
            run_task(task_for(STAGE["ingest"], make(), artifacts={}, digests={"sources": "12"}, final=path))
    assert not path.exists()


@pytest.mark.parametrize("error", [UsageError, DataError])
@pytest.mark.parametrize("begun", [False, True])
def test_a_stage_that_is_refused_before_its_work_leaves_nothing(
    make: Make, runs: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], begun: bool
) -> None:
    def refuse(output: Examples, _: object) -> dict[str, int]:
        if begun:
            (output.work / "finished").write_text("a shard")
        raise error("a setting that does not fit")

    stage = replace(STAGE["ingest"], run=refuse, external=None)
    monkeypatch.setattr(stage_process, "stage_of", lambda _: stage)
    path = artifact_path(make(), Examples, runs=runs)
    with pytest.raises(error, match="a setting that does not fit"):
        run_task(task_for(stage, make(), artifacts={}, digests={}, final=path))
    assert bool(list(path.parent.iterdir())) == begun
