"""A small chain, run once by `all`, for the tests of TFX and Kubeflow; they need the extra ``tfx`` (`make test-tfx`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.small_chain import Command, load, words

from pipeline.core import chain


def digests_of(folder: Path) -> dict[str, str]:
    """Return the digest of every artifact that `all` made, by stage."""
    paths = {stage.name: chain.artifact_path(load(), stage.output, runs=folder) for stage in chain.STAGES}
    return {stage.name: stage.output(paths[stage.name]).digest for stage in chain.STAGES}


@pytest.fixture(scope="session")
def command() -> Command:
    """Return a function that runs ``python -m pipeline …`` in a process."""

    def run(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "300"},
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def by_all(tmp_path_factory: pytest.TempPathFactory, command: Command) -> dict[str, str]:
    """Run `all`; return the digests of its artifacts."""
    runs = tmp_path_factory.mktemp("all")
    command("all", *words(), "--runs", runs)
    return digests_of(runs)
