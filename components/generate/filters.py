"""Filters of a set: near copies of training images, or unlikely images, are dropped, and later images replace them.

Images are checked in the order of their indices until enough pass. Whether an image passes depends on the image alone, and, in
a set with a number of images for each label, on how many images of its label have passed already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.examples.dataset import labelled_batches, readable
from components.generate.calibration import Calibration
from components.generate.loaded_generator import ImageBlock, LoadedGenerator, calibration_of
from components.images.geometry import Crop
from components.images.near_copies import (
    LEVEL,
    NEAR,
    Images,
    blocks_of,
    distances_of,
    gaps_of,
    near_copies,
    nearest_training,
)
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, Generator
from schemas.artifacts.records import decode_example, read_records, read_statistics
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

BLOCKS_AT_ONCE = 128  # blocks that are compared with all training images in one pass
MIN_ACCEPTANCE = 0.01  # stop if a smaller share of the images passes the filters
MIN_CHECKED = 25_600  # images that are checked before `MIN_ACCEPTANCE` applies


@dataclass(frozen=True)
class Reason:
    """Why an image is dropped.

    Attributes:
        name: `near_copy` or `unlikely`.
        value: Distance from a training image, or log density of the code in nats.
        limit: The image is dropped because the value is below this.
        training_image: Number of the training image that it is a near copy of, in the order of the Examples.
    """

    name: str
    value: float
    limit: float
    training_image: int | None = None


@dataclass(frozen=True)
class Dropped:
    """An image that is dropped.

    Attributes:
        index: Index of the image.
        label: Its label, where the generator takes labels.
        reason: Why it is dropped.
    """

    index: int
    label: str | None
    reason: Reason


@dataclass
class Selection:
    """The images of a set, and those that were dropped.

    Attributes:
        indices: Indices of the set's images, ascending.
        dropped: Images that were dropped, in the order of their indices.
        labels: Number of the set's images with each label.
    """

    indices: list[int] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    labels: Counter[str | None] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """Number of images that were dropped, for each reason."""
        counts = Counter(dropped.reason.name for dropped in self.dropped)
        return {"near_copies_dropped": counts["near_copy"], "unlikely_dropped": counts["unlikely"]}


def select(
    loaded: LoadedGenerator,
    section: GenerateSection,
    *,
    generator: Generator,
    examples: Examples | None,
    count: int,
    progress: Callable[[int], None],
) -> Selection:
    """Check images until `count` of them pass the filters.

    Args:
        loaded: The generator, loaded.
        section: The recipe's `generate` section.
        generator: The generator, with its samplers.
        examples: Training images, where near copies of them are dropped; None otherwise.
        count: Images of the set.
        progress: Called with the number of images that have passed so far.

    Raises:
        UsageError: The sampler has no unlikely codes.
        DataError: Hardly any image passes.
    """
    calibration = None
    if section.drop_unlikely:
        calibration = calibration_of(generator, loaded.kind)
        if calibration.density is None:
            raise UsageError(
                "generate.drop_unlikely: expected a sampler that says how likely a code is, found "
                f"{calibration.sampler.kind}; set generate.sampler, such as mixture"
            )
        if calibration.sampler.kind == "uniform":
            raise UsageError(
                "generate.drop_unlikely: expected a sampler some of whose codes are likelier than others, found uniform"
            )
    names = loaded.description.labels
    most = _images_per_label(section, count=count, labels=list(loaded.trained_labels))
    selection, start = Selection(), 0
    while len(selection.indices) < count:
        # As many as are missing, and up to a block more.
        blocks = min(BLOCKS_AT_ONCE, 1 + (count - len(selection.indices)) // BLOCK)
        indices = range(start, start + blocks * BLOCK)
        numbers, reasons = _check(indices, loaded, section, calibration=calibration, examples=examples)
        for index, number in zip(indices, numbers, strict=True):
            label = names[number] if number >= 0 else None
            if len(selection.indices) == count:
                break
            if most and label is not None and selection.labels[label] >= most[label]:
                continue  # the set has enough images of this label
            if index in reasons:
                selection.dropped.append(Dropped(index, label, reasons[index]))
            else:
                selection.indices.append(index)
                selection.labels[label] += 1
        start += blocks * BLOCK
        progress(len(selection.indices))
        if start >= MIN_CHECKED and len(selection.indices) < MIN_ACCEPTANCE * start:
            key = "drop_near_copies" if section.drop_near_copies else "drop_unlikely"
            raise DataError(
                f"generate.{key}: expected at least {MIN_ACCEPTANCE:.0%} of the images to pass, found "
                f"{len(selection.indices):,} of {start:,}"
            )
    return selection


def write_dropped(selection: Selection, path: Path, *, examples: Examples | None) -> None:
    """Write the table of the images that were dropped; `examples` has the keys of training images."""
    keys = _keys_of_copied(selection, examples) if examples else {}
    rows = [
        {
            "index": dropped.index,
            "label": dropped.label,
            "reason": dropped.reason.name,
            "found": dropped.reason.value,
            "limit": dropped.reason.limit,
            "training_image": keys.get(dropped.reason.training_image),
        }
        for dropped in selection.dropped
    ]
    tables.write_table(path, pa.Table.from_pylist(rows, schema=tables.DROPPED), tables.DROPPED)


def _check(
    indices: range,
    loaded: LoadedGenerator,
    section: GenerateSection,
    *,
    calibration: Calibration | None,
    examples: Examples | None,
) -> tuple[list[int], dict[int, Reason]]:
    """Return the labels' numbers of the images of whole blocks, and by index why some of them are dropped."""
    numbers, reduced, reasons = list[int](), list[Images](), dict[int, Reason]()
    for start in indices[::BLOCK]:
        block = loaded.make(start)
        numbers += block.numbers.tolist()
        if calibration:
            reasons |= _unlikely(calibration, section, start, block)
        if examples:
            unit_images = block.images.astype(np.float32) / 255.0
            reduced += blocks_of(partial(iter, [unit_images]))
    if examples:
        reasons = _near_copies(indices, np.concatenate(reduced), examples) | reasons
    return numbers, reasons


def _unlikely(calibration: Calibration, section: GenerateSection, start: int, block: ImageBlock) -> dict[int, Reason]:
    """Return by index why images of a block are dropped for their codes.

    The limit is a quantile of the log density of other codes of the same label, so that an image is judged by its own code
    alone.
    """
    assert calibration.density is not None  # it was asked for before
    densities = calibration.density.log_density(block.codes, block.numbers if calibration.labelled else None)
    reasons = {}
    for row, (value, number) in enumerate(zip(densities.tolist(), block.numbers.tolist(), strict=True)):
        limit = calibration.limit(number, section.drop_unlikely, section.temperature)
        if value < limit:
            reasons[start + row] = Reason("unlikely", value, limit)
    return reasons


def _images_per_label(section: GenerateSection, *, count: int, labels: Sequence[str]) -> dict[str, int]:
    """Return how many images of each of the trained labels the recipe sets; empty where it sets none."""
    if section.labels == "balanced":
        return {label: len(range(place, count, len(labels))) for place, label in enumerate(labels)}
    return dict(section.labels or {})


def _near_copies(indices: Sequence[int], reduced: Images, examples: Examples) -> dict[int, Reason]:
    """Return by index why some of the reduced images [N, d] are dropped as near copies."""
    numbers, nearest, _ = nearest_training(reduced, lambda: _training_batches(examples))
    distances = distances_of(reduced, nearest)
    gaps = gaps_of(nearest, lambda: _training_batches(examples), distances)
    limits = np.maximum(LEVEL, NEAR * gaps)
    return {
        indices[row]: Reason("near_copy", float(distances[row]), float(limits[row]), int(numbers[row]))
        for row in np.flatnonzero(near_copies(distances, gaps)).tolist()
    }


def _training_batches(examples: Examples) -> Iterator[Images]:
    """Yield the training images, cropped in the middle: batches [B, H, W, C], scale 0 to 1."""
    statistics = read_statistics(examples)
    crop = Crop(statistics.height, statistics.width)
    with readable(examples):
        for pixels, _ in labelled_batches(examples, "train", batch_size=BLOCK):
            yield np.stack([crop.map(image) for image in pixels.numpy()]).astype(np.float32) / 255.0


def _keys_of_copied(selection: Selection, examples: Examples) -> dict[int | None, str]:
    """Return the keys of the training images that dropped images are near copies of, by their numbers."""
    numbers = {dropped.reason.training_image for dropped in selection.dropped} - {None}
    keys: dict[int | None, str] = {}
    records = (record for shard in examples.shards("train") for record in read_records(shard))
    for number, record in enumerate(records if numbers else ()):
        if number in numbers:
            keys[number] = decode_example(record)[1]
    return keys
