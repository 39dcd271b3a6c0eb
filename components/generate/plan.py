"""Which images are made together, and which files they go to.

Images are made in blocks of consecutive indices, always of the same size: a network's arithmetic may differ in the last
bit between batch sizes, so an image is only ever decoded in the company that its index gives it. Files hold the images of whole
blocks, as many as their size allows: neither workers nor shards change what is in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from schemas.recipe.generate import BLOCK

FILE_BYTES = 2**26  # of raw pixels in a file that holds many images, at most, unless a block has more
FILE_BLOCKS = 128  # blocks in such a file, at most
FILES_PER_FOLDER = 10_000


@dataclass(frozen=True)
class BlockPart:
    """The images of one block that are wanted.

    Attributes:
        start: Index of the block's first image.
        rows: Places within the block, ascending.
    """

    start: int
    rows: Sequence[int]

    @property
    def indices(self) -> list[int]:
        """Of the images."""
        return [self.start + row for row in self.rows]


@dataclass(frozen=True)
class FileUnit:
    """What is made and finished together: one file of many images, or as many files of one image.

    Attributes:
        number: From 0.
        of: How many there are.
        first: Place of its first image in the set.
        images: How many it has.
        parts: What is made, in order.
    """

    number: int
    of: int
    first: int
    images: int
    parts: tuple[BlockPart, ...]

    def name(self, suffix: str) -> str:
        """The file within the artifact, where one holds many images."""
        return f"data/images-{self.number:05d}-of-{self.of:05d}.{suffix}"


@dataclass(frozen=True)
class ShardUnit:
    """The files that one worker makes, one after the other."""

    files: tuple[FileUnit, ...]


def plan_files(wanted: Sequence[int], *, image_bytes: int) -> list[FileUnit]:
    """Files of the images with the indices `wanted`, ascending, of so many raw bytes each."""
    blocks = max(1, min(FILE_BLOCKS, FILE_BYTES // (image_bytes * BLOCK)))
    parts = _parts(wanted)
    grouped = [tuple(found) for _, found in groupby(parts, lambda part: part.start // (blocks * BLOCK))]
    files, first = [], 0
    for number, found in enumerate(grouped):
        images = sum(len(part.rows) for part in found)
        files.append(FileUnit(number, len(grouped), first, images, found))
        first += images
    return files


def deal(files: Sequence[FileUnit], shards: int | None) -> list[ShardUnit]:
    """Deals files evenly to shards, in order; one each, unless fewer shards are wanted."""
    wanted = min(shards or len(files), len(files))
    edges = [number * len(files) // wanted for number in range(wanted + 1)] if wanted else []
    return [ShardUnit(tuple(files[begin:end])) for begin, end in pairwise(edges)]


def image_name(index: int, *, suffix: str, label: str | None = None) -> str:
    """An image's file within the artifact, where each has its own; if a label is given, in a folder of that alone."""
    folder = f"{index // FILES_PER_FOLDER:04d}" if label is None else folder_of(label)
    return f"images/{folder}/{index:08d}.{suffix}"


def folder_of(label: str) -> str:
    """A folder's name for a label, which is text from anywhere: what could leave the folder, or hide in it, is replaced."""
    safe = "".join(letter if letter.isalnum() or letter in " ._-+" else "_" for letter in label).strip()
    return safe if safe.strip(". ") and not safe.startswith(".") else f"_{safe}"


def _parts(wanted: Sequence[int]) -> Iterator[BlockPart]:
    if isinstance(wanted, range) and wanted.start == 0 and wanted.step == 1:
        for block in range(math.ceil(len(wanted) / BLOCK)):
            start = block * BLOCK
            yield BlockPart(start, range(min(BLOCK, len(wanted) - start)))
        return
    indices = np.asarray(wanted, np.int64)
    for start, found in groupby(indices.tolist(), lambda index: index // BLOCK * BLOCK):
        yield BlockPart(start, tuple(index - start for index in found))
