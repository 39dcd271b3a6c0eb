"""The normalisation's constants, and shards of normalised values for other people's trainers."""

from __future__ import annotations

import math
from pathlib import Path

import apache_beam as beam
import numpy as np

from components.ingest.shards import Written
from components.workers.runner import UnitDoFn, run_units
from schemas import atomic
from schemas.artifacts import records
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.recipe import BeamSection


def moments(shards: list[Written], *, channels: int) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel over these shards, on the scale 0 to 1."""
    pixels = sum(shard.pixels for shard in shards)
    means, deviations = [], []
    for channel in range(channels):
        total = sum(shard.total[channel] for shard in shards)
        squares = sum(shard.squares[channel] for shard in shards)
        # In whole numbers up to the division: no cancellation, whatever the size.
        variance = (pixels * squares - total * total) / pixels**2
        means.append(total / pixels / 255.0)
        deviations.append(math.sqrt(variance) / 255.0)
    return means, deviations


def constants(
    preprocess: PreprocessSettings, *, mean: list[float], deviation: list[float]
) -> tuple[list[float], list[float]]:
    """The constants by which the network's input is `(pixel / 255 - mean) / deviation`, per channel."""
    channels = preprocess.channels
    if preprocess.normalise == "unit":
        return [0.0] * channels, [1.0] * channels
    if preprocess.normalise == "symmetric":
        return [0.5] * channels, [0.5] * channels
    # A constant channel has no deviation to divide by; one grey level keeps it finite.
    return mean, [max(value, 1.0 / 255.0) for value in deviation]


def store_float32(
    pixel_shards: list[tuple[Path, Path]], statistics: records.Statistics, beam_settings: BeamSection
) -> None:
    """Writes a shard of normalised values from each shard of pixels.

    Args:
        pixel_shards: Where each shard is read, and where it is written.
        statistics: Shapes and constants.
        beam_settings: How Beam runs.
    """
    todo = [(str(source), str(target)) for source, target in pixel_shards if not target.exists()]
    if todo:
        run_units("normalise", todo, NormaliseDoFn(statistics), settings=beam_settings, large=False)


class NormaliseDoFn(UnitDoFn):
    """Rewrites one shard of uint8 pixels as float32 values."""

    def __init__(self, statistics: records.Statistics) -> None:
        super().__init__()
        self.statistics = statistics
        self.records = beam.metrics.Metrics.counter("ingest", "normalised_records")

    def process(self, paths: tuple[str, str]) -> None:
        """Writes one shard."""
        source, target = map(Path, paths)
        shape = (self.statistics.stored_height, self.statistics.stored_width, self.statistics.channels)
        mean = np.asarray(self.statistics.mean, np.float32)
        deviation = np.asarray(self.statistics.deviation, np.float32)
        with atomic.replacing(target) as temporary, temporary.open("wb") as file:
            for record in records.read_records(source):
                pixels, key, label = records.decode_example(record)
                values = np.frombuffer(pixels, np.uint8).reshape(shape).astype(np.float32)  # type: ignore[arg-type]
                values = (values / np.float32(255.0) - mean) / deviation
                file.write(records.frame(records.encode_example(values, key=key, label=label)))
                self.records.inc()
