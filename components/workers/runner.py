"""Runs units of work on Beam, with a choice of runner and number of workers; importing this module loads Beam."""

from __future__ import annotations

import logging
import os
import platform
import re
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from components.workers import remote
from components.workers.lifetime import exit_with_parent
from components.workers.watched import watching
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import BeamSection


def worker_count(settings: BeamSection, *, large: bool) -> int:
    """Return the number of worker processes: as set; else one per core for large work, and only this one for small."""
    if settings.workers is not None:
        return settings.workers
    return (os.cpu_count() or 1) if large else 1  # starting worker processes takes about four seconds


class UnitDoFn(beam.DoFn):
    """A worker that does units of work; it exits with its parent, so that it cannot write into a later run's folder."""

    folder = "."  # in which the command was started; relative paths count from it

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def setup(self) -> None:
        """Prepare the worker, once before its first unit.

        Raises:
            DataError: This machine does not see the folder in which the command was started.
        """
        exit_with_parent()
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
    """Run independent units of work, one per element; results are files, and no pixels travel through Beam.

    Args:
        name: Name of the Beam step.
        units: Arguments of `worker`, one per call.
        worker: Writes a unit's files under temporary names and renames them.
        settings: The recipe's `beam` section.
        large: Whether the work is large enough for several workers.
        threads: Whether workers on this machine are threads of this process: for work that hardly holds Python's lock, and
            for which a new process would need seconds to start.

    Raises:
        UsageError: `beam.options` cannot be used, or a worker raised it.
        WorkerCrashed: A worker process crashed.
        DataError: A worker process died or raised it, or another runner's job did not finish.
        OSError: The system refused something to a worker, such as room on the disk.
    """
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    worker.folder = os.getcwd()
    options = remote.parse_options(settings.options)
    if remote.runner_name(options):
        pipeline = remote.open_pipeline(options)
        _add_steps(pipeline, name, units, worker)
        remote.run_and_wait(pipeline)
        return
    words = list(settings.options)
    workers = min(worker_count(settings, large=large), len(units))
    if workers > 1:
        mode = "multi_threading" if threads else "multi_processing"
        words += [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
    try:
        # The runner is named, because Beam's default runner looks for an executable to download.
        with watching(), beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(words)) as pipeline:
            _add_steps(pipeline, name, units, worker)
    except (UsageError, DataError) as error:
        raise type(error)(str(error).removesuffix(_step_note(name))) from error
    except RuntimeError as error:
        # Beam hands errors over as text. An error of ours or of the system, such as a full disk, the user can mend.
        for kind in (UsageError, DataError):
            if match := re.search(rf"^{kind.__module__}\.{kind.__name__}: (.*)$", str(error), re.MULTILINE):
                raise kind(match[1].removesuffix(_step_note(name))) from error
        if match := re.search(r"OSError: \[Errno (\d+)\] ([^\n\[:]+)", str(error)):
            raise OSError(int(match[1]), match[2].strip()) from error
        raise


def _step_note(name: str) -> str:
    """Return what Beam appends to the message of an error in a worker."""
    return f" [while running '{name}: work']"


def _add_steps(pipeline: beam.Pipeline, name: str, units: Sequence[Any], worker: UnitDoFn) -> None:
    _ = (
        pipeline
        | f"{name}: units" >> beam.Create(list(units), reshuffle=False)
        | f"{name}: spread" >> beam.Reshuffle()
        | f"{name}: work" >> beam.ParDo(worker)
    )
