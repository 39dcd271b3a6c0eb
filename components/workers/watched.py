"""Beam's workers on this machine, watched: when one cannot go on, all of them end, and the work ends with one line."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from apache_beam.portability import python_urns
from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    EmbeddedGrpcWorkerHandler,
    GrpcWorkerHandler,
    WorkerHandler,
)
from google.protobuf import json_format, text_format

from components.workers.child import CRASHES, WORKER_CRASHED
from components.workers.lifetime import parent_environment
from components.workers.remote import RESUME_HINT
from schemas.errors import DataError

CONNECT_SECONDS = 300.0  # importing Beam takes seconds, or a minute where the file system is slow
END_SECONDS = 30.0  # an idle process ends sooner
POLL_SECONDS = 0.2
CRASH_SECONDS = 5.0  # from the end of a crashed process's connection to its own
_NO_MEMORY = r"can't start new thread|^(\w+: )?MemoryError\b"  # Beam hands a worker's error over as text
FEWER = f"set fewer workers; {RESUME_HINT}"


class WorkerCrashed(DataError):
    """A worker process ended by a crash, such as a segmentation fault."""

    exit_status = WORKER_CRASHED


class _Watched(GrpcWorkerHandler, ABC):
    """A worker that a thread watches until it is closed.

    Beam's own handlers wait for ever for a worker that has died, that dies before it has connected, or that has lost its
    connection. Here each of these ends all workers of the same work. Results are whole files: only unfinished units are lost.
    """

    _running: ClassVar[set[_Watched]] = set()
    failure: ClassVar[DataError | None] = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._closing = threading.Event()

    @abstractmethod
    def alive(self) -> bool:
        """Return whether the worker can still do something."""

    def crashed(self) -> bool:
        """Return whether the worker, which cannot go on, has crashed."""
        return False

    @abstractmethod
    def kill(self) -> None:
        """End the worker at once, if that is possible."""

    def watch(self) -> None:
        """Start the thread that watches the worker."""
        self._running.add(self)
        threading.Thread(target=self._watch, daemon=True, name="watch-worker").start()

    def close(self) -> None:
        """Let the worker end, and wait until it has."""
        self._closing.set()
        self._running.discard(self)
        if not self._connected():
            self.kill()
            # Beam only tells this to workers that have connected; a thread may still do so.
            self.control_conn.push(BeamFnControlServicer._DONE_MARKER)
        self.data_conn._exception = None  # which it would raise instead of closing
        try:
            super().close()
        finally:
            self.stop_worker()

    def _connected(self) -> bool:
        return bool(self.control_conn._state != BeamFnControlServicer.UNSTARTED_STATE)

    def _problem(self, *, seconds: float) -> str:
        """Return what is wrong with the worker, if anything, so many seconds after its start."""
        if not self.alive():
            return "process to finish, found one that died, as when memory runs out"
        if self._connected():
            reads = self.control_conn._read_thread.is_alive()
            return "" if reads else "process to finish, found one that lost its connection, as when memory runs out"
        late = seconds > CONNECT_SECONDS
        return f"process to connect within {CONNECT_SECONDS:.0f} seconds, found one that has not" if late else ""

    def _watch(self) -> None:
        started = time.monotonic()
        while not (problem := self._problem(seconds=time.monotonic() - started)):
            if self._closing.wait(POLL_SECONDS):
                return
        if self._closing.is_set():
            return
        if _Watched.failure is None:  # the other workers, which are killed now, have died of another reason
            _Watched.failure = (
                WorkerCrashed(
                    f"beam.workers: expected every worker process to finish, found one that crashed; {RESUME_HINT}"
                )
                if self.crashed()
                else DataError(f"beam.workers: expected every worker {problem}; {FEWER}")
            )
        while True:  # repeated, because Beam may start workers and make requests after the death
            for worker in self._running.copy():
                worker.kill()
                worker.data_conn._exception = _Watched.failure
                with contextlib.suppress(RuntimeError):  # the requests changed while Beam went through them
                    worker.control_conn.abort(_Watched.failure)
            if self._closing.wait(POLL_SECONDS):
                return


class WorkerProcess(_Watched):
    """A worker in a process of its own."""

    def __init__(self, _: bytes, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.process: subprocess.Popen[bytes] | None = None

    def start_worker(self) -> None:
        """Start the process."""
        environment = {
            "CONTROL_API_SERVICE_DESCRIPTOR": _text(self.control_api_service_descriptor()),
            "LOGGING_API_SERVICE_DESCRIPTOR": _text(self.logging_api_service_descriptor()),
            "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
            "WORKER_ID": self.worker_id,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "components.workers.beam_worker"],
            env={**os.environ, **parent_environment(), **environment},
        )
        self.watch()

    def alive(self) -> bool:
        """Return whether the process has not ended."""
        return self.process is not None and self.process.poll() is None

    def crashed(self) -> bool:
        """Return whether the process ended by a crash."""
        assert self.process is not None
        try:
            return -self.process.wait(CRASH_SECONDS) in CRASHES
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.kill()

    def stop_worker(self) -> None:
        """Wait until the process has ended; kill it if that takes long."""
        if self.process is None:
            return
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WorkerThread(_Watched, EmbeddedGrpcWorkerHandler):
    """A worker in a thread of this process."""

    def start_worker(self) -> None:
        """Start the thread."""
        super().start_worker()
        self.watch()

    def alive(self) -> bool:
        """Return whether the thread has not ended."""
        return bool(self.worker_thread.is_alive())

    def kill(self) -> None:
        """Do nothing: a thread cannot be killed, and goes on to the end of its unit."""


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Let Beam take these workers instead of its own, for one pipeline.

    Raises:
        DataError: A worker could not go on, or the system refused memory or a thread.
    """
    WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(WorkerProcess)
    WorkerHandler.register_environment(python_urns.EMBEDDED_PYTHON_GRPC, bytes)(WorkerThread)
    _Watched.failure = None
    try:
        yield
    except Exception as error:  # Beam may have its own words for the end of a worker
        if _Watched.failure is not None:
            raise _Watched.failure from error
        if isinstance(error, MemoryError) or re.search(_NO_MEMORY, str(error), re.MULTILINE):
            raise DataError(f"beam.workers: expected memory for all workers, found too little; {FEWER}") from error
        raise


def _text(descriptor: endpoints_pb2.ApiServiceDescriptor) -> str:
    text: str = text_format.MessageToString(descriptor)
    return text
