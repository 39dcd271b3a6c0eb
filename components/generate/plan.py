"""Which images are made together.

Images are made in blocks of consecutive indices, always of the same size: a network's arithmetic may differ in the last
bit between batch sizes, so an image is only ever decoded in the company that its index gives it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BLOCK = 256  # images per call of the network
SHARD_BLOCKS = 40  # blocks per shard, unless the recipe says how many shards
FILES_PER_FOLDER = 10_000


@dataclass(frozen=True)
class ShardUnit:
    """The images `start` to `stop`, made by one worker; `start` is a multiple of BLOCK."""

    number: int
    of: int
    start: int
    stop: int

    @property
    def parquet_name(self) -> str:
        """The shard's file within the artifact, where the format is parquet."""
        return f"data/images-{self.number:05d}-of-{self.of:05d}.parquet"


def plan_shards(count: int, shards: int | None) -> list[ShardUnit]:
    """Deals the blocks of `count` images evenly to shards, in order; never more shards than blocks."""
    blocks = math.ceil(count / BLOCK)
    wanted = min(shards or math.ceil(blocks / SHARD_BLOCKS), blocks)
    edges = [number * blocks // wanted * BLOCK for number in range(wanted)] + [count]
    return [ShardUnit(number, wanted, edges[number], edges[number + 1]) for number in range(wanted)]


def png_name(index: int) -> str:
    """An image's file within the artifact, where the format is png: the same for any number of shards."""
    return f"images/{index // FILES_PER_FOLDER:04d}/{index:08d}.png"
