"""The constants of the normalisation, and shards of normalised values for use outside of this project."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from apache_beam.metrics.metric import Metrics

from components.ingest.shards import ShardResult
from components.workers.runner import UnitDoFn, run_units
from schemas import atomic
from schemas.artifacts import records
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.recipe import BeamSection


def moments(shards: list[ShardResult], *, channels: int) -> tuple[list[float], list[float]]:
    """Return the mean and the deviation of each channel over these shards, on the scale 0 to 1."""
    pixels = sum(shard.pixels for shard in shards)
    means, deviations = [], []
    for channel in range(channels):
        total = sum(shard.total[channel] for shard in shards)
        squares = sum(shard.squares[channel] for shard in shards)
        # Integers up to the division, so that nothing cancels, for any number of pixels.
        variance = (pixels * squares - total * total) / pixels**2
        means.append(total / pixels / 255.0)
        deviations.append(math.sqrt(variance) / 255.0)
    return means, deviations


def constants(
    preprocess: PreprocessSettings, *, mean: list[float], deviation: list[float]
) -> tuple[list[float], list[float]]:
    """Return mean and deviation per channel, by which the network's input is `(pixel / 255 - mean) / deviation`."""
    channels = preprocess.channels
    if preprocess.normalise == "unit":
        return [0.0] * channels, [1.0] * channels
    if preprocess.normalise == "symmetric":
        return [0.5] * channels, [0.5] * channels
    # The deviation of a constant channel is 0; at least one grey level keeps the result finite.
    return mean, [max(value, 1.0 / 255.0) for value in deviation]


def store_float32(
    pixel_shards: list[tuple[Path, Path]], statistics: records.Statistics, beam_settings: BeamSection
) -> None:
    """Write a shard of normalised values from each shard of pixels; skip those that exist.

    Args:
        pixel_shards: The file to read and the file to write, for each shard.
        statistics: Shapes and constants.
        beam_settings: How Beam runs.
    """
    missing = [(str(source), str(target)) for source, target in pixel_shards if not target.exists()]
    if missing:
        run_units("normalise", missing, NormaliseDoFn(statistics), settings=beam_settings, large=False)


class NormaliseDoFn(UnitDoFn):
    """A worker that rewrites a shard of uint8 pixels as float32 values."""

    def __init__(self, statistics: records.Statistics) -> None:
        super().__init__()
        self.statistics = statistics
        self.records = Metrics.counter("ingest", "normalised_records")

    def process(self, paths: tuple[str, str]) -> None:
        """Write one shard."""
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
