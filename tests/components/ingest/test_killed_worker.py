"""What a `kill -9` of one of Beam's worker processes does: the command ends with a line, and continues when started again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from helpers.ingest_command import alive, assert_same, children, ended, examples, ingest, shards, until

from schemas.artifacts.manifest import Manifest


def test_after_a_worker_process_of_this_machine_was_killed_the_command_says_so_and_then_continues(
    home: Path, local: Manifest
) -> None:
    command = ingest(home, "killed-here", workers=2)
    until(lambda: shards(home, "killed-here"))
    (stage,) = children(command.pid)
    # Beam starts its workers by a shell, which may have become the worker.
    workers = [worker for shell in children(stage) for worker in children(shell) or [shell]]
    os.kill(workers[0], signal.SIGKILL)

    status, said = ended(command)
    assert (status, said.count("\n")) == (1, 1), said
    assert said.startswith("error: beam.workers: expected every worker process to finish, found one that died")
    until(lambda: not alive(workers))

    assert ended(ingest(home, "killed-here", workers=1)) == (0, "")
    assert_same(examples(home, "killed-here"), local)
