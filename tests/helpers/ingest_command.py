"""Ingest as a user starts it: a command in a folder with images; and questions about its processes. No test is here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from helpers.paths import ROOT
from helpers.waits import PATIENCE

from schemas.artifacts.kinds import Examples
from schemas.artifacts.manifest import Manifest

# The worker pool starts the `python` that it finds on its path.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT),
}
RECIPE = {
    "name": "photos",
    "sources": [{"kind": "folder", "path": "photos"}],
    # The most crops that are allowed, so that 200 small images make several shards.
    "preprocess": {"height": 48, "width": 48, "channels": 3, "crop": "baked", "crops_per_image": 64}
    | {"validation": 0.1, "test": 0.1},
    "model": {"network": "dense", "latent_dim": 2, "hidden": [8]},
    "loss": {"likelihood": "bernoulli"},
}


def ingest(
    home: Path,
    runs: str,
    settings: Sequence[str] = (),
    *,
    environment: Mapping[str, str] = ENVIRONMENT,
    stdout: int = subprocess.DEVNULL,
    **beam: object,
) -> subprocess.Popen[str]:
    """Start the command with some settings changed."""
    changes = [*settings, *(f"beam.{key}={value}" for key, value in beam.items())]
    overrides = [word for change in changes for word in ("--set", change)]
    command = [sys.executable, "-m", "pipeline", "ingest", "--recipe", "photos.yaml", "--runs", runs, *overrides]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=home, env=environment)


def ended(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the command's end; return its exit status and its standard error."""
    try:
        _, stderr = command.communicate(timeout=PATIENCE)
    finally:
        command.kill()
    return command.returncode, stderr


def examples(home: Path, runs: str) -> Examples:
    """Return the Examples in a folder of runs."""
    return Examples(home / runs / "photos" / "examples")


def shards(home: Path, runs: str) -> dict[str, int]:
    """Return the shards of a run, finished or not, and when they were written."""
    paths = (home / runs / "photos").rglob("data_tfrecord-*")
    return {f"{path.parent.name}/{path.name}": path.stat().st_mtime_ns for path in paths}


def assert_same(examples: Examples, expected: Manifest) -> None:
    """Check that Examples are undamaged, and the expected ones byte for byte."""
    assert examples.damage(thorough=True) == []
    assert examples.manifest.files == expected.files
    assert examples.manifest.digest == expected.digest


def children(parent: int, *, state: str = "") -> list[int]:
    """Return the living processes that a process has started; only those in a state of `ps`, such as T for stopped."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in table.stdout.splitlines()]
    return [
        int(pid) for pid, of, its in rows if int(of) == parent and not its.startswith("Z") and its.startswith(state)
    ]


def alive(processes: Iterable[int]) -> list[int]:
    """Return those of these processes that have not ended."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in table.stdout.splitlines()]
    return [int(pid) for pid, state in rows if int(pid) in set(processes) and not state.startswith("Z")]
