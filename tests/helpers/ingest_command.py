"""Ingest as a person starts it: a command in a folder with images. And what tests ask of its processes. No test is here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from helpers.paths import ROOT

from schemas.artifacts.kinds import Examples
from schemas.artifacts.manifest import Manifest

# The worker pool starts whatever `python` is on its path.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT),
}
PATIENCE = 60.0  # seconds to wait for what takes a few on an idle machine
RECIPE = {
    "name": "photos",
    "sources": [{"kind": "folder", "path": "photos"}],
    # As many crops as may be, so that 200 small images make several shards.
    "preprocess": {"height": 48, "width": 48, "channels": 3, "crop": "baked", "crops_per_image": 64}
    | {"validation": 0.1, "test": 0.1},
    "model": {"network": "dense", "latent_dim": 2, "hidden": [8]},
    "loss": {"likelihood": "bernoulli"},
}


def ingest(home: Path, runs: str, settings: Sequence[str] = (), **beam: object) -> subprocess.Popen[str]:
    """Starts the command with other settings."""
    changed = [*settings, *(f"beam.{key}={value}" for key, value in beam.items())]
    overrides = [word for setting in changed for word in ("--set", setting)]
    command = [sys.executable, "-m", "pipeline", "ingest", "--recipe", "photos.yaml", "--runs", runs, *overrides]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=home, env=ENVIRONMENT
    )


def ended(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status, and what the command said of what went wrong."""
    try:
        _, said = command.communicate(timeout=PATIENCE)
    finally:
        command.kill()
    return command.returncode, said


def examples(home: Path, runs: str) -> Examples:
    """Of a folder of runs."""
    return Examples(home / runs / "photos" / "examples")


def shards(home: Path, runs: str) -> dict[str, int]:
    """The shards of a run, finished or not, and when they were written."""
    found = (home / runs / "photos").rglob("data_tfrecord-*")
    return {f"{path.parent.name}/{path.name}": path.stat().st_mtime_ns for path in found}


def assert_same(made: Examples, expected: Manifest) -> None:
    """Byte for byte."""
    assert made.damage(thorough=True) == []
    assert made.manifest.files == expected.files
    assert made.manifest.digest == expected.digest


def children(parent: int) -> list[int]:
    """The living processes that a process has started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, of, state in rows if int(of) == parent and not state.startswith("Z")]


def until(found: Callable[[], Any]) -> Any:
    """Asks until the answer is something, and returns it."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


def alive(processes: Iterable[int]) -> list[int]:
    """Those of these processes that have not ended."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, state in rows if int(pid) in set(processes) and not state.startswith("Z")]
