"""The chief of a search in several processes: KerasTuner's chief/worker protocol, in which this process has the oracle.

KerasTuner's own chief waits for ever for a worker that died, and its protocol has no room for the reason of a failure. So
the server is KerasTuner's, and this module watches the workers.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import tensorflow as tf
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from components.reporting.console import say
from components.tune.bookkeeping import Bookkeeping
from components.workers.child import Child, start_child
from schemas import atomic
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import TuneSettings

IP, PORT, NAME = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"
WORKER = "components.tune.worker"
POLL_SECONDS = 0.2
FAREWELL_SECONDS = 5.0  # for workers of other machines to ask once more, and hear that the search is over
SILENT_SECONDS = 900.0  # a trial of another machine that is silent for longer fails, unless its epochs take that long


@dataclass(frozen=True)
class Worker:
    """A process of this machine that runs trials.

    Attributes:
        name: Its name in KerasTuner's protocol.
        child: The process.
    """

    name: str
    child: Child


class Workers:
    """The worker processes of this machine. One that dies with a trial is replaced.

    Args:
        oracle: Gives them trials.
        task: The file from `task_of`.
        address: The oracle's address: ip and port.
        count: Number of processes.
    """

    def __init__(self, oracle: Bookkeeping, *, task: Path, address: tuple[str, int], count: int) -> None:
        self.oracle = oracle
        self.task = task
        self.address = address
        self.count = count
        self.alive: list[Worker] = []
        self.names: list[str] = []  # of all workers ever started
        for _ in range(count):
            self._start()

    def check(self) -> None:
        """Handle the workers that have ended: fail their trials, and start others in their place.

        Raises:
            DataError: A worker could not use the data, or ended before it had a trial.
        """
        for worker in [worker for worker in self.alive if worker.child.process.poll() is not None]:
            self.alive.remove(worker)
            status, ended = worker.child.process.returncode, worker.child.ending()
            if error := worker.child.error():
                raise DataError(error)
            if status and worker.name not in self.oracle.ongoing_trials and not self.oracle.exhausted:
                raise DataError(
                    f"tune.workers: expected workers that run trials, found one that ended at once ({ended})"
                )
            self.oracle.fail(worker.name, f"its process ended ({ended}), as when memory runs out")
            if status and not self.oracle.exhausted:
                self._start()

    def stop(self) -> None:
        """Kill all workers, and wait for their end."""
        for worker in self.alive:
            worker.child.process.kill()
        for worker in self.alive:
            worker.child.process.wait()
            worker.child.errors.close()

    def _start(self) -> None:
        name = f"worker-{len(self.names)}"  # KerasTuner takes a name with "chief" in it for the chief's
        child = start_child(WORKER, [self.task], stdout=subprocess.DEVNULL, environment=self._environment(name))
        self.alive.append(Worker(name, child))
        self.names.append(name)

    def _environment(self, name: str) -> dict[str, str]:
        """Return a worker's variables: its name, the oracle's address, and its share of the machine."""
        variables = {NAME: name, IP: self.address[0], PORT: str(self.address[1])}
        if gpus := len(tf.config.list_physical_devices("GPU")):
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
            variables["CUDA_VISIBLE_DEVICES"] = visible[len(self.names) % gpus]
        elif self.count > 1:
            variables["TF_NUM_INTRAOP_THREADS"] = str(max(1, (os.cpu_count() or 1) // self.count))
        return variables


def run_workers(oracle: Bookkeeping, examples: Examples, settings: TuneSettings, *, folder: Path) -> None:
    """Serve the oracle to workers until there are no more trials.

    KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT set the address, so that workers of other machines find it. Without them
    only this machine's workers do.

    Args:
        oracle: The search's.
        examples: What the trials train on.
        settings: The recipe's.
        folder: Where the task file goes, which workers of other machines read, too.

    Raises:
        UsageError: The address cannot be used.
        DataError: See `Workers.check`.
        OSError: The search's state could not be written.
    """
    task = folder / "task.json"
    atomic.write_bytes(task, task_of(examples, settings))
    with served(oracle) as (ip, port):
        say(f"workers {settings.tune.workers}, at {ip}:{port}")
        if IP in os.environ:
            say(f"others  {NAME}=<a name> {IP}={ip} {PORT}={port} python -m components.tune.worker {task}")
        workers = Workers(oracle, task=task, address=(ip, port), count=settings.tune.workers)
        try:
            while workers.alive or oracle.ongoing_trials:
                time.sleep(POLL_SECONDS)
                if oracle.write_error is not None:
                    raise oracle.write_error
                workers.check()
                fail_silent_trials(oracle, own_workers=workers.names)
            farewell = time.monotonic() + FAREWELL_SECONDS
            while oracle.tuner_ids and time.monotonic() < farewell:
                time.sleep(POLL_SECONDS)
        finally:
            workers.stop()


@contextmanager
def served(oracle: Bookkeeping) -> Iterator[tuple[str, int]]:
    """Answer workers' questions to the oracle in a thread; give the address, ip and port."""
    ip = os.environ.get(IP, "127.0.0.1")
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    try:
        port = server.add_insecure_port(f"{ip}:{os.environ.get(PORT, '0')}")
    except RuntimeError:
        raise UsageError(f"{IP}, {PORT}: expected an address that is free, found {ip}:{os.environ.get(PORT)}") from None
    server.start()
    try:
        yield ip, port
    finally:
        server.stop(grace=None).wait()


def fail_silent_trials(oracle: Bookkeeping, *, own_workers: list[str]) -> None:
    """Fail the trials of other machines' workers that have not reported for too long."""
    now = time.monotonic()
    for name, trial in list(oracle.ongoing_trials.items()):
        silent = now - oracle.reported.get(trial.trial_id, now)
        if name not in own_workers and silent > max(SILENT_SECONDS, 5 * oracle.longest_pause):
            oracle.fail(name, f"its worker {name} has not been heard of for {silent:.0f} seconds")


def task_of(examples: Examples, settings: TuneSettings) -> bytes:
    """Return what a worker has to know, as JSON."""
    return json.dumps({"examples": os.fspath(examples.path.resolve()), "settings": settings.to_json()}).encode()
