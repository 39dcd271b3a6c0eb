"""Between the passes: which split an image belongs to, and which shard it is written to.

Both are decided by content and name, never by order or worker: images that are added move none of those that were there
to another split, and images with the same bytes are always in the same one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from components.ingest.catalogue import LISTED, Catalogue
from schemas.artifacts import tables
from schemas.artifacts.records import SPLITS
from schemas.recipe.preprocess import PreprocessSettings

SHARD_BYTES = 32 << 20
SHARD_RECORDS = 2048


@dataclass(frozen=True)
class ShardUnit:
    """One shard.

    Attributes:
        split: Which it belongs to.
        name: Its file within the artifact.
        rows_path: Which images it is made of, LISTED rows in their order.
        images: How many they are.
        pixels: How many pixels have to be decoded for it.
    """

    split: str
    name: str
    rows_path: str
    images: int
    pixels: int

    @property
    def stem(self) -> str:
        """Name for the shard's work files."""
        return self.name.replace("/", "-")

    def rows(self) -> list[dict[str, Any]]:
        """The images."""
        found: list[dict[str, Any]] = pq.read_table(self.rows_path).to_pylist()
        return found


def split_of(sha256: str, own_split: str | None, *, own_splits: Collection[str], preprocess: PreprocessSettings) -> str:
    """The split of an image, from the hash of its bytes and the salt.

    A source's own validation and test images stay what they are. Shares of its own training images are taken for those
    splits alone that the source has not got.

    Args:
        sha256: Of the image's bytes.
        own_split: The split that the image's source puts it in, or None.
        own_splits: The splits that the source puts any image in.
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


def decide(catalogue: Catalogue, preprocess: PreprocessSettings, *, seed: int) -> None:
    """Decides which images are kept, their splits, and an order drawn from (seed, key)."""
    if preprocess.duplicates == "drop":
        catalogue.drop_duplicates()
    if preprocess.near_duplicates is not None:
        catalogue.group_near_duplicates(preprocess.near_duplicates)
    own_splits = catalogue.own_splits()
    catalogue.decide(
        split=lambda sha256, own_split, source: split_of(
            sha256, own_split, own_splits=own_splits.get(source, ()), preprocess=preprocess
        ),
        point=lambda key: _hash(f"{seed}/{key}") >> 1,  # whole numbers in SQLite have 63 bits and a sign
    )


def plan_shards(catalogue: Catalogue, preprocess: PreprocessSettings, *, folder: Path) -> list[ShardUnit]:
    """Deals each split's images to shards in their order, in which neighbours are strangers; evenly, for the workers' sake.

    Args:
        catalogue: What `decide` decided.
        preprocess: How large a record is, and how many an image makes.
        folder: Where the shards' lists of images go.
    """
    item_bytes = preprocess.stored_height * preprocess.stored_width * preprocess.channels
    item_bytes *= 4 if preprocess.store == "float32" else 1
    units = []
    for split in SPLITS:
        copies = preprocess.crops_per_image if split == "train" and preprocess.crop == "baked" else 1
        per_shard = max(1, min(SHARD_RECORDS, SHARD_BYTES // item_bytes) // copies)
        images = catalogue.count(split=split)
        count = math.ceil(images / per_shard)
        rows = catalogue.of_split(split)
        for number in range(count):
            name = f"Split-{split}/data_tfrecord-{number:05d}-of-{count:05d}"
            path = folder / f"{name.replace('/', '-')}.plan.parquet"
            of_shard = list(islice(rows, images * (number + 1) // count - images * number // count))
            pixels = sum(row["width"] * row["height"] for row in of_shard if row["format"] != "pixels")
            tables.write_rows(path, of_shard, LISTED)
            units.append(ShardUnit(split, name, str(path), len(of_shard), pixels))
    return units


def _hash(text: str) -> int:
    """64 bits that look random and are always the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
