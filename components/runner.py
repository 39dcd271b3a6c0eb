"""How Beam runs: which runner, how many workers. Importing this module loads Beam."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from components.lifetime import leave_with_parent
from schemas.recipe import BeamSection


def worker_count(settings: BeamSection, *, large: bool) -> int:
    """Worker processes: as set, else one per core for large work and none besides this one for small work."""
    if settings.workers is not None:
        return settings.workers
    return (os.cpu_count() or 1) if large else 1  # starting worker processes costs some four seconds


class UnitDoFn(beam.DoFn):
    """A worker on units. It does not outlive the process that started it, so nobody writes behind a new run's back."""

    def setup(self) -> None:
        """Called once per worker, before any unit."""
        leave_with_parent()


def run_units(name: str, units: Sequence[Any], worker: UnitDoFn, *, settings: BeamSection, large: bool) -> None:
    """Runs one independent unit of work per element. Workers hand over files; no pixels travel through Beam.

    Args:
        name: Of the Beam step.
        units: What `worker` is called with, one at a time.
        worker: Writes its unit's files under temporary names and renames them.
        settings: The recipe's `beam` section.
        large: Whether the work pays for worker processes.
    """
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    workers = min(worker_count(settings, large=large), len(units))
    options = list(settings.options)
    runner = None
    if not any(option.startswith("--runner") for option in options):
        # Named, because Beam's default runner looks for an executable to download.
        runner = FnApiRunner()
        if workers > 1:
            options += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    with beam.Pipeline(runner=runner, options=PipelineOptions(options)) as pipeline:
        _ = (
            pipeline
            | f"{name}: units" >> beam.Create(list(units), reshuffle=False)
            | f"{name}: spread" >> beam.Reshuffle()
            | f"{name}: work" >> beam.ParDo(worker)
        )
