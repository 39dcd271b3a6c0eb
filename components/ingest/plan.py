"""Between the passes: assigns each image to a split and to a shard.

Both depend on content and name, never on order or worker. Adding images moves no earlier image to another split, unless a
split was empty, and images with the same bytes are always in the same split.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from components.ingest.catalogue import LISTED, Catalogue, ListedRow
from schemas.artifacts import tables
from schemas.artifacts.records import SPLITS
from schemas.recipe.preprocess import PreprocessSettings

SHARD_BYTES = 32 << 20
SHARD_RECORDS = 2048

_DRAWS = ("validation", "test", "train")  # from the smallest draw to the largest, in `split_of`


@dataclass(frozen=True)
class ShardUnit:
    """One shard to be written.

    Attributes:
        split: The split that it belongs to.
        name: Its file within the artifact.
        rows_path: The table of its images: LISTED rows in their order.
        images: The number of its images.
        pixels: The number of pixels to be decoded for it.
    """

    split: str
    name: str
    rows_path: str
    images: int
    pixels: int

    @property
    def stem(self) -> str:
        """First part of the names of the shard's work files."""
        return self.name.replace("/", "-")

    def rows(self) -> list[ListedRow]:
        """Read the rows of its images."""
        rows: list[ListedRow] = pq.read_table(self.rows_path).to_pylist()
        return rows


def split_of(sha256: str, own_split: str | None, *, own_splits: Collection[str], preprocess: PreprocessSettings) -> str:
    """Return the split of an image, drawn from the hash of its bytes and the salt.

    A source's own validation and test images keep their split. Its own training images are drawn only for splits that
    the source does not have.

    Args:
        sha256: The sha256 of the image's bytes.
        own_split: The split that the image's source puts it in, or None.
        own_splits: All splits that the source puts images in.
        preprocess: The shares and the salt.
    """
    if own_split in ("validation", "test"):
        return own_split
    point = _point(sha256, preprocess)
    if point < preprocess.validation:
        drawn = "validation"
    elif point < preprocess.validation + preprocess.test:
        drawn = "test"
    else:
        drawn = "train"
    return "train" if own_split == "train" and drawn in own_splits else drawn


def assign_splits(catalogue: Catalogue, preprocess: PreprocessSettings, *, seed: int) -> None:
    """Drop duplicates, and give each image its split and its place in an order drawn from (seed, key)."""
    if preprocess.duplicates == "drop":
        catalogue.drop_duplicates()
    if preprocess.near_duplicates is not None:
        catalogue.group_near_duplicates(preprocess.near_duplicates)
    own_splits = catalogue.own_splits()
    catalogue.assign(
        split=lambda sha256, own_split, source: split_of(
            sha256, own_split, own_splits=own_splits.get(source, ()), preprocess=preprocess
        ),
        point=lambda key: _hash(f"{seed}/{key}") >> 1,  # SQLite's integers have 63 bits and a sign
    )


def fill_empty_splits(catalogue: Catalogue, preprocess: PreprocessSettings) -> dict[str, int]:
    """Move images into each split that is empty, if there are three images or more.

    These are as many as the split's share of all, at least one, and those whose draws are nearest to it: the images that would
    be there first if the shares were changed. So they depend on content alone. Copies, and near-duplicates, move together.
    Images that a source holds out itself stay.

    Returns:
        Number of images in each split that was empty.
    """
    empty = catalogue.empty_splits()
    if not empty:
        return {}
    units = {split: catalogue.units(split) for split in SPLITS}
    total = sum(map(len, units.values()))
    shares = {"validation": preprocess.validation, "test": preprocess.test}
    shares["train"] = 1 - sum(shares.values())
    filled = {}
    for split in empty if total >= len(SPLITS) else ():
        donors = [other for other in SPLITS if other != split and _spare(units[other])]
        donor = "train" if "train" in donors else max(donors, key=lambda other: _spare(units[other]), default=None)
        if donor is None:
            continue
        movable = (unit for unit, may_move in units[donor].items() if may_move)
        from_below = _DRAWS.index(donor) < _DRAWS.index(split)
        ordered = sorted(movable, key=lambda unit: (_point(unit, preprocess), unit), reverse=from_below)
        chosen = ordered[: min(_spare(units[donor]), max(1, round(shares[split] * total)))]
        catalogue.move(chosen, split)
        units[split] = {unit: units[donor].pop(unit) for unit in chosen}
        filled[split] = catalogue.count(split=split)
    return filled


def _spare(units: Mapping[str, bool]) -> int:
    """Return how many of a split's units may move, so that one at least stays."""
    return max(0, min(sum(units.values()), len(units) - 1))


def plan_shards(catalogue: Catalogue, preprocess: PreprocessSettings, *, folder: Path) -> list[ShardUnit]:
    """Assign each split's images, shuffled by hash, to shards of equal size.

    Args:
        catalogue: Its images have splits and places (`assign_splits`).
        preprocess: Settings that decide the size of a record, and the number of records per image.
        folder: Folder for the tables of each shard's images.
    """
    item_bytes = preprocess.stored_height * preprocess.stored_width * preprocess.channels
    item_bytes *= 4 if preprocess.store == "float32" else 1
    units = []
    for split in SPLITS:
        crops = preprocess.crops_per_image if split == "train" and preprocess.crop == "baked" else 1
        per_shard = max(1, min(SHARD_RECORDS, SHARD_BYTES // item_bytes) // crops)
        images = catalogue.count(split=split)
        count = math.ceil(images / per_shard)
        rows = catalogue.of_split(split)
        for number in range(count):
            name = f"Split-{split}/data_tfrecord-{number:05d}-of-{count:05d}"
            path = folder / f"{name.replace('/', '-')}.plan.parquet"
            shard_rows = list(islice(rows, images * (number + 1) // count - images * number // count))
            pixels = sum(row["width"] * row["height"] for row in shard_rows if row["format"] != "pixels")
            tables.write_rows(path, shard_rows, LISTED)
            units.append(ShardUnit(split, name, str(path), len(shard_rows), pixels))
    return units


def _point(sha256: str, preprocess: PreprocessSettings) -> float:
    """Return the draw that decides an image's split: from 0 to 1, by its content."""
    return _hash(f"{preprocess.split_salt}/{sha256}") / 2**64


def _hash(text: str) -> int:
    """Return 64 bits that look random, the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
