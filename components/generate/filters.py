"""Which images stay when near copies of training images, or unlikely ones, are left out. Others take their place.

Images are looked at in the order of indices until as many stay as are wanted; whether one stays depends on itself alone, and
in a set of so many images of each label on how many of its label there are already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from components.examples.dataset import labelled_batches, read_statistics, readable
from components.generate.calibration import Calibration
from components.generate.loaded import LoadedGenerator, Made, calibration_of
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
from schemas.artifacts.records import decode_example, read_records
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

Reason = dict[str, Any]  # the rest of a row of `schemas.artifacts.tables.DROPPED`

AT_ONCE = 128  # blocks that are compared with all training images at once
LEAST = 0.01  # share that stays, below which no set is made,
LOOKED_AT = 25_600  # when so many have been looked at


@dataclass
class Selection:
    """What stays, and what does not.

    Attributes:
        kept: Indices, ascending.
        dropped: Rows of `schemas.artifacts.tables.DROPPED`.
        labels: How many stay of each.
    """

    kept: list[int] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    labels: Counter[str | None] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out, and why."""
        found = Counter(row["reason"] for row in self.dropped)
        return {"near_copies_dropped": found["near_copy"], "unlikely_dropped": found["unlikely"]}


def select(
    loaded: LoadedGenerator,
    wanted: GenerateSection,
    *,
    generator: Generator,
    examples: Examples | None,
    count: int,
    progress: Callable[[int], None],
) -> Selection:
    """Looks at images until `count` stay.

    Args:
        loaded: Makes them.
        wanted: The recipe's `generate` section.
        generator: With its samplers.
        examples: Training images, where near copies of them are left out; else None.
        count: Images of the set.
        progress: Called with how many stay so far.

    Raises:
        DataError: Hardly any stay.
    """
    codes = None
    if wanted.drop_unlikely:
        codes = calibration_of(generator, loaded.kind)
        if codes.sampler.kind == "uniform":
            raise UsageError(
                "generate.drop_unlikely: expected a sampler some of whose codes are likelier than others, found uniform"
            )
    room, found, start = _room(wanted, count=count, labels=loaded.about.labels), Selection(), 0
    while len(found.kept) < count:
        # As many as are missing, and a few more.
        blocks = min(AT_ONCE, 1 + (count - len(found.kept)) // BLOCK)
        numbers, reasons = _look_at(
            range(start, start + blocks * BLOCK), loaded, wanted, codes=codes, examples=examples
        )
        for index, number in enumerate(numbers, start):
            label = loaded.about.labels[number] if number >= 0 else None
            if len(found.kept) == count:
                break
            if room and found.labels[label] >= room[label]:
                continue  # enough of this label
            if index in reasons:
                found.dropped.append({"index": index, "label": label, **reasons[index]})
            else:
                found.kept.append(index)
                found.labels[label] += 1
        start += blocks * BLOCK
        progress(len(found.kept))
        if start >= LOOKED_AT and len(found.kept) < LEAST * start:
            key = "drop_near_copies" if wanted.drop_near_copies else "drop_unlikely"
            raise DataError(
                f"generate.{key}: expected {LEAST:.0%} of the images to stay at least, found {len(found.kept):,} of {start:,}"
            )
    if examples:
        _name_training_images(found, examples)
    return found


def _look_at(
    indices: range,
    loaded: LoadedGenerator,
    wanted: GenerateSection,
    *,
    codes: Calibration | None,
    examples: Examples | None,
) -> tuple[list[int], dict[int, Reason]]:
    """Labels' numbers of the images of whole blocks; and by index, why some are left out."""
    numbers, small, reasons = list[int](), list[Images](), dict[int, Reason]()
    for start in indices[::BLOCK]:
        made = loaded.make(start)
        numbers += made.numbers.tolist()
        if codes:
            reasons |= _unlikely(codes, wanted, start, made)
        if examples:
            small += blocks_of(lambda made=made: iter([made.images.astype(np.float32) / 255.0]))
    if examples:
        reasons = _copies(indices, np.concatenate(small), examples) | reasons
    return numbers, reasons


def save(selection: Selection, path: Any) -> None:
    """Writes the rows of what was left out."""
    tables.write_table(path, pa.Table.from_pylist(selection.dropped, schema=tables.DROPPED), tables.DROPPED)


def _unlikely(codes: Calibration, wanted: GenerateSection, start: int, made: Made) -> dict[int, Reason]:
    """By index, which images of a block have unlikely codes.

    What is unlikely is said by a quantile of the log density of codes of the same label that are drawn for this alone: so an
    image is judged by its own code, whichever others there are.
    """
    density = codes.sampler.log_density(made.codes, made.numbers if codes.labelled else None)
    found = {}
    for row, (value, number) in enumerate(zip(density.tolist(), made.numbers.tolist(), strict=True)):
        limit = codes.limit(number, wanted.drop_unlikely, wanted.temperature)
        if value < limit:
            found[start + row] = {"reason": "unlikely", "found": value, "limit": limit}
    return found


def _room(wanted: GenerateSection, *, count: int, labels: Sequence[str]) -> dict[str | None, int]:
    """How many images of each label there may be, where it is said; else empty."""
    if wanted.labels == "balanced":
        return {label: len(range(place, count, len(labels))) for place, label in enumerate(labels)}
    return dict(wanted.labels or {})


def _copies(indices: Sequence[int], small: Images, examples: Examples) -> dict[int, Reason]:
    """By index, which of some reduced images [N, d] are near copies, and of what."""
    numbers, nearest, _ = nearest_training(small, lambda: _training(examples))
    distances = distances_of(small, nearest)
    gaps = gaps_of(nearest, lambda: _training(examples), distances)
    limits = np.maximum(LEVEL, NEAR * gaps)
    return {
        indices[row]: {
            "reason": "near_copy",
            "found": float(distances[row]),
            "limit": float(limits[row]),
            "training_image": int(numbers[row]),
        }
        for row in np.flatnonzero(near_copies(distances, gaps)).tolist()
    }


def _training(examples: Examples) -> Iterator[Images]:
    """Training images as the network is judged by them: batches [B, H, W, C], scale 0 to 1."""
    about = read_statistics(examples)
    crop = Crop(about.height, about.width)
    with readable(examples):
        for pixels, _ in labelled_batches(examples, "train", batch_size=BLOCK):
            yield np.stack([crop.map(image) for image in pixels.numpy()]).astype(np.float32) / 255.0


def _name_training_images(found: Selection, examples: Examples) -> None:
    """Their keys instead of their numbers."""
    wanted = {row["training_image"] for row in found.dropped if "training_image" in row}
    names: dict[int, str] = {}
    records = (record for shard in examples.shards("train") for record in read_records(shard))
    for number, record in enumerate(records if wanted else ()):
        if number in wanted:
            names[number] = decode_example(record)[1]
    for row in found.dropped:
        if "training_image" in row:
            row["training_image"] = names[row["training_image"]]
