"""Between the passes: which split an image belongs to, and which shard it is written to.

Both are decided by content and name, never by order or worker: images that are added move none of those that were there
to another split, and images with the same bytes are always in the same one.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from schemas.recipe import PreprocessSettings
from schemas.records import SPLITS

SHARD_BYTES = 64 << 20
SHARD_RECORDS = 2048


@dataclass(frozen=True)
class ShardUnit:
    """One shard: its name within the artifact, and the rows of the images in it."""

    split: str
    name: str
    rows: tuple[dict[str, Any], ...]

    @property
    def stem(self) -> str:
        """Name for the shard's work files."""
        return self.name.replace("/", "-")


def split_of(sha256: str, *, own_split: str | None, preprocess: PreprocessSettings) -> str:
    """The split of an image, from the hash of its bytes and the salt.

    A source's own test split stays what it is; from its training split only a validation share is taken.
    """
    if own_split == "test":
        return "test"
    point = _point(f"{preprocess.split_salt}/{sha256}")
    if point < preprocess.validation:
        return "validation"
    if own_split is None and point < preprocess.validation + preprocess.test:
        return "test"
    return "train"


def plan_shards(listed: pa.Table, preprocess: PreprocessSettings, *, channels: int, seed: int) -> list[ShardUnit]:
    """Deals the images to shards in an order drawn from (seed, key), so that neighbours in a shard are strangers."""
    by_split: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for row in listed.to_pylist():
        by_split[split_of(row["sha256"], own_split=row["own_split"], preprocess=preprocess)].append(row)
    item_bytes = preprocess.stored_height * preprocess.stored_width * channels
    item_bytes *= 4 if preprocess.store == "float32" else 1
    units = []
    for split, rows in by_split.items():
        copies = preprocess.crops_per_image if split == "train" and preprocess.crop == "baked" else 1
        per_shard = max(1, min(SHARD_RECORDS, SHARD_BYTES // item_bytes) // copies)
        rows.sort(key=lambda row: _point(f"{seed}/{row['key']}"))
        count = math.ceil(len(rows) / per_shard)
        for number in range(count):
            name = f"Split-{split}/data_tfrecord-{number:05d}-of-{count:05d}"
            units.append(ShardUnit(split, name, tuple(rows[number * per_shard : (number + 1) * per_shard])))
    return units


def _point(text: str) -> float:
    """A number in [0, 1) that looks random and is always the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
