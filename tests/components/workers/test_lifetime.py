"""A process that watches its parent ends with it, also if the parent was gone before the process began to watch."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from helpers.paths import ROOT
from helpers.waits import wait_until

pytestmark = pytest.mark.process

CHILD = """
import os, sys, time
if sys.argv[1] == "late":
    while os.getppid() == int(sys.argv[2]):
        time.sleep(0.01)
from components.workers.lifetime import exit_with_parent
exit_with_parent()
print("watches", flush=True)
time.sleep(0.35)  # three looks at its parent
print("lives on", flush=True)
time.sleep(3600)
"""
PARENT = """
import os, subprocess, sys, time
from components.workers.lifetime import parent_environment
words = [sys.executable, "-c", sys.argv[1], sys.argv[2], str(os.getpid())]
child = subprocess.Popen(words, env={**os.environ, **parent_environment()})
print(child.pid, flush=True)
time.sleep(3600)
"""


@pytest.fixture
def parent(start: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that prints the number of its child; a `late` child begins to watch after its parent has ended."""
    arguments = [sys.executable, "-c", PARENT, CHILD, start]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("start", ["early", "late"])
def test_a_child_lives_as_long_as_its_parent(parent: subprocess.Popen[str], start: str) -> None:
    child = int(next_line(parent))
    if start == "early":
        assert (next_line(parent), next_line(parent)) == ("watches", "lives on")
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(child), "the child has ended")


def next_line(process: subprocess.Popen[str]) -> str:
    """Return what the process or its child prints next."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def alive(process: int) -> bool:
    """Return whether a process runs; one that has ended does not, even if its status was not read."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


ENDING = """
import atexit, sys
from components.workers.lifetime import collect_seldom
if sys.argv[1] == "without":
    collect_seldom()
atexit.register(print, "atexit")
class Garbage:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("collected")
Garbage()
"""


def test_objects_of_a_child_are_seldom_searched() -> None:
    code = "import gc; from components.workers.lifetime import collect_seldom; collect_seldom(); print(gc.get_threshold()[0])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 10 * gc.get_threshold()[0]


@pytest.mark.parametrize(("way", "printed"), [("with", ["atexit", "collected"]), ("without", ["atexit"])])
def test_without_a_last_collection_functions_of_atexit_still_run(way: str, printed: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", ENDING, way], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == printed
