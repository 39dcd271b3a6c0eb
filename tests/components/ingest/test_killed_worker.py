"""A `kill -9` of one of Beam's worker processes: the command ends with one line, and the next one resumes.

What a killed worker process does to the process that waits for it is tested without kills at random moments in
tests/components/workers/test_runner.py, and resuming in test_ingest_bad_input.py.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from helpers.beam_cluster import Cluster, running_cluster
from helpers.ingest_command import RECIPE, alive, assert_same, children, ended, examples, ingest, shards
from helpers.waits import wait_until

from schemas.artifacts.manifest import Manifest

# More kills for a long look: KILLS=5 for twenty of one of Beam's workers.
KILLS = int(os.environ.get("KILLS", "1"))
# After a kill, a unit is read again with a process that decodes: that one is killed, too.
KILLED = (
    r"error: beam\.workers: expected (every worker process to finish, found one that "
    r"|the process that decodes image by image to go on, found it ended )"
)
pytestmark = [pytest.mark.process, pytest.mark.kills]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, write_photos: Callable[..., Path]) -> Path:
    """Return the folder in which commands are started: a recipe, and the images that it names by a relative path."""
    folder = tmp_path_factory.mktemp("home")
    write_photos(folder / "photos", 200, height=24, width=32)
    (folder / "photos.yaml").write_text(yaml.safe_dump(RECIPE))
    return folder


@pytest.fixture(scope="module")
def local(home: Path) -> Manifest:
    """Return the manifest of Examples that ingest writes in one process."""
    assert ended(ingest(home, "local", workers=1)) == (0, "")
    return examples(home, "local").manifest


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


def test_after_a_worker_on_this_machine_was_killed_the_command_says_so_and_the_next_resumes(
    home: Path, local: Manifest
) -> None:
    command = ingest(home, "killed-here", workers=2)
    wait_until(lambda: shards(home, "killed-here"), "a shard is written")
    (stage,) = children(command.pid)
    workers = children(stage)
    os.kill(workers[0], signal.SIGKILL)

    status, stderr = ended(command)
    assert (status, stderr.count("\n")) == (1, 1), stderr
    assert stderr.startswith("error: beam.workers: expected every worker process to finish, found one that died")
    wait_until(lambda: not alive(workers), "all workers end")

    assert ended(ingest(home, "killed-here", workers=1)) == (0, "")
    assert_same(examples(home, "killed-here"), local)


def _under_way(command: subprocess.Popen[str], stage: int) -> bool:
    return bool(children(stage)) or command.poll() is not None


def test_kills_of_a_worker_at_any_moment_leave_nothing_hanging_and_nothing_wrong(home: Path, local: Manifest) -> None:
    """Before it has connected, which takes a worker about two seconds, and after: each ends with one line, and resumes."""
    kills = 0
    while kills < 4 * KILLS:
        command = ingest(home, "killed-often", workers=2)
        (stage,) = wait_until(partial(children, command.pid), "the stage has started")
        wait_until(partial(_under_way, command, stage), "a worker has started, or there is nothing left to do")
        moment = random.uniform(0, 3)
        time.sleep(moment)
        workers = children(stage)  # none between ingest's two passes, and at its end
        with contextlib.suppress(IndexError, ProcessLookupError):
            os.kill(random.choice(workers), signal.SIGKILL)
            kills += 1
        status, stderr = ended(command)
        print(f"{kills} kills, after {moment:.2f} s, of one of {len(workers)} workers: status {status}")
        if status == 0:  # too late
            assert_same(examples(home, "killed-often"), local)
            shutil.rmtree(home / "killed-often")
        else:
            assert (status, stderr.count("\n")) == (1, 1), stderr
            assert re.match(KILLED, stderr), stderr
    assert ended(ingest(home, "killed-often", workers=1)) == (0, "")
    assert_same(examples(home, "killed-often"), local)


def test_after_a_worker_of_a_pool_was_killed_the_command_says_so_and_the_next_resumes(
    home: Path, cluster: Cluster, local: Manifest
) -> None:
    options = f"[{', '.join(cluster.options(job_server_timeout=12))}]"
    command = ingest(home, "killed", options=options)

    def under_way() -> bool:
        nonlocal command
        if command.poll() is not None:  # on a busy machine 12 seconds can be too short to get here: once more
            ended(command)
            command = ingest(home, "killed", options=options)
        return len(shards(home, "killed")) >= 2  # then at least one is done

    wait_until(under_way, "the job is under way")
    for worker in cluster.workers():
        os.kill(worker, signal.SIGKILL)
    before = shards(home, "killed")
    assert len(before) < len(shards(home, "local"))

    # Beam's own service does not notice the death; the time limit ends the wait.
    status, stderr = ended(command)
    assert (status, stderr.count("\n")) == (1, 1), stderr
    assert re.match(
        "error: beam.options: .* still running after --job_server_timeout=12 seconds: a worker died", stderr
    )

    assert ended(ingest(home, "killed", options=f"[{', '.join(cluster.options())}]")) == (0, "")
    assert_same(examples(home, "killed"), local)
    after = shards(home, "killed")
    assert sum(after[name] == moment for name, moment in before.items()) >= len(before) - 1
