"""Several processes that run trials, by KerasTuner's chief/worker protocol: this process has the oracle, and is asked.

KerasTuner's own chief waits for ever for a worker that died, and its protocol carries no reason for a failure. So the
server is KerasTuner's, and who lives is watched here.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import grpc
import tensorflow as tf
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from pydantic import TypeAdapter

from components.reporting.console import say
from components.tune.bookkeeping import Bookkeeping
from components.workers.child import Child, start_child
from schemas import atomic
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import TuneSettings

IP, PORT, NAME = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"
POLL_SECONDS = 0.2
FAREWELL_SECONDS = 5.0
SILENT_SECONDS = 900.0  # after which a trial of another machine is given up, unless its epochs take that long


@dataclass(frozen=True)
class Worker:
    """A process of this machine that runs trials."""

    name: str
    child: Child


class Workers:
    """The processes of this machine, each replaced when it dies with a trial.

    Args:
        oracle: Whose trials they run.
        task: File that says what a trial reads.
        address: Of the oracle, ip and port.
        count: Processes.
    """

    def __init__(self, oracle: Bookkeeping, *, task: Path, address: tuple[str, int], count: int) -> None:
        self.oracle = oracle
        self.task = task
        self.address = address
        self.count = count
        self.begun = 0
        self.alive: list[Worker] = []
        self.names: set[str] = set()
        for _ in range(count):
            self._begin()

    def look(self) -> None:
        """Notices who has ended, and how.

        Raises:
            DataError: A worker says that the data cannot be used, or ended before it had a trial.
        """
        for worker in [worker for worker in self.alive if worker.child.process.poll() is not None]:
            self.alive.remove(worker)
            status, ended = worker.child.process.returncode, worker.child.ending()
            if error := worker.child.error():
                raise DataError(error)
            if status and worker.name not in self.oracle.ongoing_trials and not self.oracle.stopped:
                raise DataError(
                    f"tune.workers: expected workers that run trials, found one that ended at once ({ended})"
                )
            self.oracle.fail(worker.name, f"its process ended ({ended}), as when memory runs out")
            if status and not self.oracle.stopped:
                self._begin()

    def end(self) -> None:
        """Ends all of them."""
        for worker in self.alive:
            worker.child.process.kill()
        for worker in self.alive:
            worker.child.process.wait()
            worker.child.errors.close()

    def _begin(self) -> None:
        name = f"worker-{self.begun}"  # one that has "chief" in its name would be taken for the chief
        child = start_child(
            "components.tune.worker",
            [self.task],
            stdout=subprocess.DEVNULL,
            environment=self._environment(name),
        )
        self.alive.append(Worker(name, child))
        self.names.add(name)
        self.begun += 1

    def _environment(self, name: str) -> dict[str, str]:
        """What a worker is told: who it is, whom to ask, and its share of the machine."""
        found = {
            NAME: name,
            IP: self.address[0],
            PORT: str(self.address[1]),
        }
        if gpus := len(tf.config.list_physical_devices("GPU")):
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
            found["CUDA_VISIBLE_DEVICES"] = visible[self.begun % gpus]
        elif self.count > 1:
            found["TF_NUM_INTRAOP_THREADS"] = str(max(1, (os.cpu_count() or 1) // self.count))
        return found


def run_workers(oracle: Bookkeeping, examples: Examples, settings: TuneSettings, *, folder: Path) -> None:
    """Serves the oracle until there are no more trials.

    KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT say at which address, so that workers of other machines find it; without
    them only this machine's do.

    Args:
        oracle: The search's.
        examples: What the trials train on.
        settings: The recipe's.
        folder: For the task file, which workers of other machines read, too.

    Raises:
        UsageError: The address cannot be used.
        DataError: See `Workers.look`.
        OSError: The search's state could not be written.
    """
    task = folder / "task.json"
    atomic.write_bytes(task, task_of(examples, settings))
    ip = os.environ.get(IP, "127.0.0.1")
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    try:
        port = server.add_insecure_port(f"{ip}:{os.environ.get(PORT, '0')}")
    except RuntimeError:
        raise UsageError(f"{IP}, {PORT}: expected an address that is free, found {ip}:{os.environ.get(PORT)}") from None
    server.start()
    say(f"workers {settings.tune.workers}, at {ip}:{port}")
    if IP in os.environ:
        say(f"others  {NAME}=<a name> {IP}={ip} {PORT}={port} python -m components.tune.worker {task}")
    workers = Workers(oracle, task=task, address=(ip, port), count=settings.tune.workers)
    try:
        while workers.alive or oracle.ongoing_trials:
            time.sleep(POLL_SECONDS)
            if oracle.failure is not None:
                raise oracle.failure
            workers.look()
            give_up_silent(oracle, besides=workers.names)
        farewell = time.monotonic() + FAREWELL_SECONDS
        while oracle.tuner_ids and time.monotonic() < farewell:  # workers of other machines are told that it is over
            time.sleep(POLL_SECONDS)
    finally:
        workers.end()
        server.stop(grace=None).wait()


def give_up_silent(oracle: Bookkeeping, *, besides: set[str]) -> None:
    """Fails the trials of other machines' workers that have not been heard of for too long."""
    now = time.monotonic()
    for name, trial in list(oracle.ongoing_trials.items()):
        silent = now - oracle.heard.get(trial.trial_id, now)
        if name not in besides and silent > max(SILENT_SECONDS, 5 * oracle.slowest):
            oracle.fail(name, f"its worker {name} has not been heard of for {silent:.0f} seconds")


def task_of(examples: Examples, settings: TuneSettings) -> bytes:
    """What a worker has to know, as JSON."""
    found = TypeAdapter(TuneSettings).dump_python(settings, mode="json")
    return json.dumps({"examples": os.fspath(examples.path.resolve()), "settings": found}).encode()
