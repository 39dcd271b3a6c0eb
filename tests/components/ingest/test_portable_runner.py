"""Ingest on more than this process: a job service, a pool of workers and the command are processes of their own.

The job service is Beam's, for one machine; the protocols are those of Flink's and Spark's.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.ingest_command import ENVIRONMENT, assert_same, children, ended, examples, ingest, shards, until

from schemas.artifacts.manifest import Manifest


@dataclass(frozen=True)
class Cluster:
    """A job service, and a pool that starts workers for it."""

    endpoint: str
    pool: subprocess.Popen[bytes]
    pool_address: str

    def options(self, **more: object) -> str:
        """The value of `beam.options` for a job here."""
        words = {"runner": "PortableRunner", "job_endpoint": self.endpoint}
        words |= {"environment_type": "EXTERNAL", "environment_config": self.pool_address}
        return "[" + ", ".join(f"--{name}={value}" for name, value in (words | more).items()) + "]"

    def workers(self) -> list[int]:
        """The pool's worker processes that live."""
        return children(self.pool.pid)


@contextmanager
def serving(module: str, *arguments: str, log: Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server of Beam's. In the end it is killed, and all that it has started."""
    with log.open("wb") as file:
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=cwd, env=ENVIRONMENT, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Both servers, in a folder that is not the command's."""
    home = tmp_path_factory.mktemp("cluster")
    service_module = "apache_beam.runners.portability.local_job_service_main"
    service_words = [f"--port_file={home / 'port'}", f"--staging_dir={home / 'staging'}"]
    pool_module = "apache_beam.runners.worker.worker_pool_main"
    with (
        serving(service_module, *service_words, log=home / "service.log", cwd=home),
        serving(pool_module, "--service_port=0", log=home / "pool.log", cwd=home) as pool,
    ):
        address = until(lambda: re.search(r"at port: (\S+)", (home / "pool.log").read_text()))[1]
        port = until(lambda: (home / "port").exists() and (home / "port").read_text())
        yield Cluster(f"localhost:{port}", pool, address)


def test_workers_of_a_pool_write_the_bytes_that_one_process_writes(
    home: Path, cluster: Cluster, local: Manifest
) -> None:
    assert ended(ingest(home, "remote", options=cluster.options())) == (0, "")
    assert_same(examples(home, "remote"), local)
    until(lambda: not cluster.workers())


def test_after_a_worker_was_killed_the_command_says_so_and_then_continues(
    home: Path, cluster: Cluster, local: Manifest
) -> None:
    options = cluster.options(job_server_timeout=12)
    command = ingest(home, "killed", options=options)

    def under_way() -> bool:
        nonlocal command
        if command.poll() is not None:  # the time was too short for this, on a busy machine: once more
            ended(command)
            command = ingest(home, "killed", options=options)
        return len(shards(home, "killed")) >= 2  # then at least one is done

    until(under_way)
    for worker in cluster.workers():
        os.kill(worker, signal.SIGKILL)
    before = shards(home, "killed")
    assert len(before) < len(shards(home, "local"))

    # Beam's own service does not notice the death; the time limit ends the waiting.
    status, said = ended(command)
    assert (status, said.count("\n")) == (1, 1), said
    assert re.match("error: beam.options: .* still running after --job_server_timeout=12 seconds: a worker died", said)

    assert ended(ingest(home, "killed", options=cluster.options())) == (0, "")
    assert_same(examples(home, "killed"), local)
    after = shards(home, "killed")
    assert sum(after[name] == written for name, written in before.items()) >= len(before) - 1
