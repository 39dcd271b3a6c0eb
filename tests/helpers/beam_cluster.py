"""Beam's job service and worker pool, for one machine; their protocols are those of Flink's and Spark's. No test is here."""

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

from helpers.ingest_command import ENVIRONMENT, children
from helpers.waits import wait_until


@dataclass(frozen=True)
class Cluster:
    """A job service, and a pool that starts workers for it."""

    endpoint: str
    pool: subprocess.Popen[bytes]
    pool_address: str

    def options(self, **others: object) -> list[str]:
        """Return the words of `beam.options` for a job on this cluster."""
        options = {"runner": "PortableRunner", "job_endpoint": self.endpoint}
        options |= {"environment_type": "EXTERNAL", "environment_config": self.pool_address}
        return [f"--{name}={value}" for name, value in (options | others).items()]

    def workers(self) -> list[int]:
        """Return the pool's living worker processes."""
        return children(self.pool.pid)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Run both servers in a folder of their own."""
    service_module = "apache_beam.runners.portability.local_job_service_main"
    service_words = [f"--port_file={folder / 'port'}", f"--staging_dir={folder / 'staging'}"]
    pool_module = "apache_beam.runners.worker.worker_pool_main"
    with (
        _server(service_module, *service_words, log=folder / "service.log", cwd=folder),
        _server(pool_module, "--service_port=0", log=folder / "pool.log", cwd=folder) as pool,
    ):
        address = wait_until(
            lambda: re.search(r"at port: (\S+)", (folder / "pool.log").read_text()), "the pool has a port"
        )[1]
        port = wait_until(
            lambda: (folder / "port").exists() and (folder / "port").read_text(), "the job server has a port"
        )
        yield Cluster(f"localhost:{port}", pool, address)


@contextmanager
def _server(module: str, *arguments: str, log: Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of Beam's servers; at the end it is killed with all processes that it has started."""
    with log.open("wb") as file:
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=cwd, env=ENVIRONMENT, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
