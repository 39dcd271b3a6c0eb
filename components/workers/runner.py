"""How Beam runs: which runner, how many workers. Importing this module loads Beam."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import re
import threading
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import SubprocessSdkWorkerHandler, WorkerHandler

from components.workers import remote
from components.workers.lifetime import leave_with_parent
from schemas.errors import DataError
from schemas.recipe.recipe import BeamSection


def worker_count(settings: BeamSection, *, large: bool) -> int:
    """Worker processes: as set, else one per core for large work and none besides this one for small work."""
    if settings.workers is not None:
        return settings.workers
    return (os.cpu_count() or 1) if large else 1  # starting worker processes costs some four seconds


class UnitDoFn(beam.DoFn):
    """A worker on units. It does not outlive the process that started it, so nobody writes behind a new run's back."""

    folder = "."  # where the command was started: what its relative paths are relative to

    def setup(self) -> None:
        """Called once per worker, before any unit.

        Raises:
            DataError: This machine does not see the folder in which the command was started.
        """
        leave_with_parent()
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise DataError(
                f"{self.folder}: expected on worker {platform.node()} the folder in which the command was started, found "
                f"none ({error.strerror}); workers need the same file system under the same paths"
            ) from None


def run_units(
    name: str, units: Sequence[Any], worker: UnitDoFn, *, settings: BeamSection, large: bool, threads: bool = False
) -> None:
    """Runs one independent unit of work per element. Workers hand over files; no pixels travel through Beam.

    Args:
        name: Of the Beam step.
        units: What `worker` is called with, one at a time.
        worker: Writes its unit's files under temporary names and renames them.
        settings: The recipe's `beam` section.
        large: Whether the work pays for several workers.
        threads: Whether workers on this machine are threads of this process: for work that hardly holds Python's lock, and
            that would take each process seconds to begin.

    Raises:
        UsageError: `beam.options` cannot be used as given.
        DataError: A worker process died, or another runner's job did not finish.
        OSError: The system refused a worker something, such as room on the disk.
    """
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    worker.folder = os.getcwd()
    options = remote.checked_options(settings.options)
    if remote.runner_of(options):
        pipeline = remote.open_pipeline(options)
        _add_steps(pipeline, name, units, worker)
        remote.run_to_end(pipeline)
        return
    words = list(settings.options)
    workers = min(worker_count(settings, large=large), len(units))
    if workers > 1:
        mode = "multi_threading" if threads else "multi_processing"
        words += [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
    try:
        # Named, because Beam's default runner looks for an executable to download.
        with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(words)) as pipeline:
            _add_steps(pipeline, name, units, worker)
    except RuntimeError as error:
        # Beam hands an error over as text. What the system said, such as that the disk is full, a person can mend.
        if found := re.search(r"OSError: \[Errno (\d+)\] ([^\n\[:]+)", str(error)):
            raise OSError(int(found[1]), found[2].strip()) from error
        raise


def _add_steps(pipeline: beam.Pipeline, name: str, units: Sequence[Any], worker: UnitDoFn) -> None:
    _ = (
        pipeline
        | f"{name}: units" >> beam.Create(list(units), reshuffle=False)
        | f"{name}: spread" >> beam.Reshuffle()
        | f"{name}: work" >> beam.ParDo(worker)
    )


@WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)
class WatchedWorkerHandler(SubprocessSdkWorkerHandler):
    """A worker process of this machine whose death ends the work; Beam 2.77 would wait for its answer for ever.

    What is done here for processes, Beam's own handler does for containers.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._closing = threading.Event()

    def start_worker(self) -> None:
        """Starts the process, and a thread that waits for its end."""
        super().start_worker()
        threading.Thread(target=self._watch, daemon=True, name="watch-worker").start()

    def close(self) -> None:
        """The work is over: from here on the process may end."""
        self._closing.set()
        super().close()

    def _watch(self) -> None:
        self.worker_thread.join()
        died = DataError(
            "beam.workers: expected every worker process to finish, found one that died, as when memory runs out; "
            f"set fewer workers; {remote.KEPT}"
        )
        while not self._closing.wait(0.2):  # again, for requests that are made after the death
            with contextlib.suppress(RuntimeError):  # the requests changed while they were looked through
                self.control_conn.abort(died)
