"""Between the passes: assigns each image to a split and to a shard.

Both depend on content and name, never on order or worker. Adding images moves no earlier image to another split, and
images with the same bytes are always in the same split.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
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
    point = _hash(f"{preprocess.split_salt}/{sha256}") / 2**64
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


def _hash(text: str) -> int:
    """Return 64 bits that look random, the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
