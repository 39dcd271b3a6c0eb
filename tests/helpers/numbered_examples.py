"""Examples whose images tell their number, in shards of many sizes. No test is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from helpers.by_hand import describe

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import encode_example, frame

Array = np.ndarray[Any, Any]
HEIGHT, WIDTH, CHANNELS = 2, 3, 3
PER_SHARD = (5, 1, 7, 4, 6, 3, 9)  # images; more shards than are read at once
COUNT = sum(PER_SHARD)
MEAN, DEVIATION = np.array([0.1, 0.5, 0.9], np.float32), np.array([0.2, 0.3, 0.4], np.float32)


def image(number: int) -> Array:
    """Return the pixels of an image, from which its number can be read back."""
    pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, CHANNELS), dtype=np.uint8)
    pixels[0, 0, 0] = number
    return pixels


def write_examples(folder: Path, *, store: Any = "uint8") -> Examples:
    """Examples by hand: `COUNT` images in the training split, image i of label i mod 3 - 1, and the same to test."""
    examples = Examples(folder)
    counts = {"train": COUNT, "validation": 0, "test": COUNT}
    statistics = describe(
        HEIGHT,
        WIDTH,
        CHANNELS,
        store=store,
        normalise="standardise",
        mean=MEAN.tolist(),
        deviation=DEVIATION.tolist(),
        labels=["cat", "dog"],
        images=counts,
    )
    numbers = iter(range(COUNT))
    for shard, size in enumerate(PER_SHARD):
        records = []
        for number in (next(numbers) for _ in range(size)):
            pixels = image(number)
            stored = pixels if store == "uint8" else (pixels / np.float32(255) - MEAN) / DEVIATION
            records.append(frame(encode_example(stored, key=f"{number}.png", label=number % 3 - 1)))
        for split in ("train", "test"):
            path = examples.split(split) / f"data_tfrecord-{shard:05d}-of-{len(PER_SHARD):05d}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(records))
    examples.statistics_path.write_text(statistics.model_dump_json())
    return examples


def numbers_of(pixels: list[Array]) -> list[int]:
    """Which images stand in these batches."""
    return [int(number) for batch in pixels for number in batch[:, 0, 0, 0]]
