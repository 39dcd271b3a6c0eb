"""A full disk, or another refusal of the system, is an error in one line that says how to go on."""

from __future__ import annotations

import errno
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core import stage_process
from schemas.errors import DataError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "runs/photos: expected room on the disk, found none left (No space left on device)",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "photos/a.png"), "photos/a.png: Permission denied"),
    ],
    ids=["a full disk", "a file that may not be read"],
)
def test_an_error_of_the_system_is_one_line_that_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, error: OSError, expected: str
) -> None:
    def run_task(task: Any) -> None:
        raise error

    task = json.dumps({"stage": "ingest", "final": "runs/photos/examples"}).encode()
    monkeypatch.setattr(stage_process, "run_task", run_task)
    monkeypatch.setattr(stage_process.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(task)))
    with pytest.raises(DataError) as raised:
        stage_process.main()
    assert str(raised.value) == f"{expected}; run the same command again to resume"
