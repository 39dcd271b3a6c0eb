"""A process ends with the one that started it: also with one that was gone before the process had begun to look."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from helpers.paths import ROOT

CHILD = """
import sys, time
time.sleep(float(sys.argv[1]))  # what it loads first
from components.workers.lifetime import exit_with_parent
exit_with_parent()
print("stays", flush=True)
time.sleep(60)
"""
PARENT = """
import os, subprocess, sys, time
from components.workers.lifetime import parent_environment
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], env={**os.environ, **parent_environment()})
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def parent(loads: float) -> Iterator[subprocess.Popen[str]]:
    """A process with a child, which it names on its first line; `loads` seconds pass before that child begins to look."""
    arguments = [sys.executable, "-c", PARENT, CHILD, str(loads)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("loads", [0.0, 1.0], ids=["after the child has begun to look", "before"])
def test_a_killed_parent_takes_its_child_along(parent: subprocess.Popen[str], loads: float) -> None:
    child = named(parent)
    if not loads:
        assert line(parent) == "stays"
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while alive(child):
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.1)


@pytest.mark.parametrize("loads", [0.0])
def test_a_child_lives_as_long_as_its_parent(parent: subprocess.Popen[str]) -> None:
    child = named(parent)
    assert line(parent) == "stays"
    time.sleep(1.0)
    assert alive(child)


def line(process: subprocess.Popen[str]) -> str:
    """What the process, or its child, says next."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def named(process: subprocess.Popen[str]) -> int:
    """The child's number."""
    return int(line(process))


def alive(process: int) -> bool:
    """Whether it runs: not as a corpse that nobody has buried."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")
