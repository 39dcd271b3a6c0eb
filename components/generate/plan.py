"""Plan of a set: which images are made together, and which file each goes to.

Images are made in blocks of consecutive indices, always of the same size: a network's arithmetic may differ in the last
bit between batch sizes, so an image is always decoded in the same block. A file holds the images of whole blocks, as many as
its size allows, so that workers and shards do not change the files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from schemas.recipe.file_names import hashed_name, short_name
from schemas.recipe.generate import BLOCK

FILE_BYTES = 2**26  # at most, of raw pixels, in a file of many images, unless one block has more
FILE_BLOCKS = 128  # at most, in a file of many images
FILES_PER_FOLDER = 10_000
NAME_BYTES = 255  # of a folder's name, on nearly all file systems


@dataclass(frozen=True, slots=True)  # there are as many as blocks
class BlockPart:
    """The images of one block that belong to the set.

    Attributes:
        start: Index of the block's first image.
        rows: Places of the set's images within the block, ascending.
    """

    start: int
    rows: Sequence[int]

    @property
    def indices(self) -> list[int]:
        """Indices of the images."""
        return [self.start + row for row in self.rows]


@dataclass(frozen=True)
class FileUnit:
    """A unit of work that is finished as a whole: one file of many images, or the same number of files of one image each.

    Attributes:
        number: Number of the unit, from 0.
        of: Number of units in the set.
        first: Place of the unit's first image in the set.
        images: Number of images.
        parts: Images to make, in order.
    """

    number: int
    of: int
    first: int
    images: int
    parts: tuple[BlockPart, ...]

    def name(self, suffix: str) -> str:
        """Return the name of a file of many images, within the artifact."""
        return f"data/images-{self.number:05d}-of-{self.of:05d}.{suffix}"


@dataclass(frozen=True)
class ShardUnit:
    """The files that one worker writes, one after the other."""

    files: tuple[FileUnit, ...]


def plan_files(indices: Sequence[int], *, image_bytes: int) -> list[FileUnit]:
    """Plan the files of the images with these indices, ascending, each of `image_bytes` raw bytes."""
    blocks = max(1, min(FILE_BLOCKS, FILE_BYTES // (image_bytes * BLOCK)))
    groups = [tuple(group) for _, group in groupby(_parts(indices), lambda part: part.start // (blocks * BLOCK))]
    files, first = [], 0
    for number, parts in enumerate(groups):
        images = sum(len(part.rows) for part in parts)
        files.append(FileUnit(number, len(groups), first, images, parts))
        first += images
    return files


def deal(files: Sequence[FileUnit], shards: int | None) -> list[ShardUnit]:
    """Deal files evenly to shards, in order; without a number of shards, one file to each."""
    count = min(shards or len(files), len(files))
    edges = [number * len(files) // count for number in range(count + 1)] if count else []
    return [ShardUnit(tuple(files[begin:end])) for begin, end in pairwise(edges)]


def image_name(index: int, *, suffix: str, folder: str | None = None) -> str:
    """Return the name of the file of a single image, within the artifact; in this folder (of a label), if there is one."""
    return f"images/{folder or f'{index // FILES_PER_FOLDER:04d}'}/{index:08d}.{suffix}"


def folders_of(labels: Sequence[str]) -> dict[str, str]:
    """Return the name of each label's folder; no two labels share one.

    Of labels whose folders would have the same name, such as `a/b` and `a_b`, one that is changed ends in a hash.
    """
    names = {label: folder_of(label) for label in labels}
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    folders = {label: name for label, name in names.items() if name == label or name not in shared}
    taken = set(folders.values())
    for label, name in names.items():
        text = label
        while label not in folders:
            folder = hashed_name(name, text=text, limit=NAME_BYTES)
            if folder not in taken:
                folders[label] = folder
                taken.add(folder)
            text += "/"  # a stranger's label may be another label's folder with its hash
    return folders


def folder_of(label: str) -> str:
    """Return the name of a label's folder, at most as long as file systems allow.

    A label is text that a stranger may have written: characters that could lead out of the folder, or hide it, are replaced.
    """
    safe = "".join(letter if letter.isalnum() or letter in " ._-+" else "_" for letter in label).strip()
    safe = safe if safe.strip(". ") and not safe.startswith(".") else f"_{safe}"
    return short_name(safe, text=label, limit=NAME_BYTES)


def _parts(indices: Sequence[int]) -> Iterator[BlockPart]:
    if isinstance(indices, range) and indices.start == 0 and indices.step == 1:
        for block in range(math.ceil(len(indices) / BLOCK)):
            start = block * BLOCK
            yield BlockPart(start, range(min(BLOCK, len(indices) - start)))
        return
    for start, group in groupby(np.asarray(indices, np.int64).tolist(), lambda index: index // BLOCK * BLOCK):
        yield BlockPart(start, tuple(index - start for index in group))
