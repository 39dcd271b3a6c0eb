"""The formats of a set: what becomes of a block of images, file by file.

A writer is made for one `FileUnit`. Its files are whole once `close` is done, and until the unit's rows are there, which are
written after it, nobody takes them for finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.generate.encoding import encode_all
from components.generate.plan import FileUnit, image_name
from schemas import atomic
from schemas.artifacts.records import encode_example, frame

# The image column of Hugging Face data sets.
IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


@dataclass(frozen=True)
class Block:
    """Images that were made together.

    Attributes:
        indices: Of each.
        images: [N, H, W, C], uint8.
        codes: [N, D].
        labels: Of each, where the generator takes them.
        numbers: Those labels' numbers; -1: none.
    """

    indices: list[int]
    images: NDArray[np.uint8]
    codes: NDArray[np.float32]
    labels: list[str | None]
    numbers: list[int]


@dataclass(frozen=True)
class Target:
    """Where a set goes.

    Attributes:
        artifact: Its folder.
        images: How many there are in all.
        label_folders: Whether each image's file is in a folder of its label.
    """

    artifact: Path
    images: int
    label_folders: bool = False


class Writer(ABC):
    """Writes one `FileUnit`."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        self.target = target
        self.unit = unit

    @abstractmethod
    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Takes the next images; returns of each the file within the artifact and the sha256 of its bytes there (hex)."""

    @abstractmethod
    def close(self) -> None:
        """Has every file whole and on the disk."""


class ImageFiles(Writer):
    """A file per image."""

    def __init__(self, target: Target, unit: FileUnit, *, suffix: str) -> None:
        super().__init__(target, unit)
        self.suffix = suffix
        self.folders: set[str] = set()
        self.names: list[str] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """As in the class above."""
        names, digests, root = [], [], os.fspath(self.target.artifact)
        files = encode_all(block.images, self.suffix)
        for index, data, label in zip(block.indices, files, block.labels, strict=True):
            name = image_name(index, suffix=self.suffix, label=label if self.target.label_folders else None)
            if (within := name.rpartition("/")[0]) not in self.folders:
                (self.target.artifact / within).mkdir(parents=True, exist_ok=True)
                self.folders.add(within)
            # In place: until the unit's rows are there, nobody takes it for finished.
            with open(f"{root}/{name}", "wb", buffering=0) as file:
                file.write(data)
            names.append(name)
            digests.append(hashlib.sha256(data).hexdigest())
        self.names += names
        return names, digests

    def close(self) -> None:
        """As in the class above."""
        atomic.fsync_all([self.target.artifact / name for name in self.names], below=self.target.artifact)


class ParquetFile(Writer):
    """`image` (bytes, path), `index`, `label`, a row per image."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.tables: list[pa.Table] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """As in the class above."""
        files = encode_all(block.images, "png")
        paths = [f"{index:08d}.png" for index in block.indices]
        image = pa.StructArray.from_arrays([pa.array(files, pa.binary()), pa.array(paths)], fields=list(IMAGE))
        columns = [image, pa.array(block.indices, pa.int64()), pa.array(block.labels, pa.string())]
        self.tables.append(pa.table(columns, names=["image", "index", "label"]))
        return [self.unit.name("parquet")] * len(files), [hashlib.sha256(data).hexdigest() for data in files]

    def close(self) -> None:
        """As in the class above."""
        with atomic.replacing(self.target.artifact / self.unit.name("parquet")) as temporary:
            # PNG files do not get smaller.
            pq.write_table(pa.concat_tables(self.tables), temporary, compression="NONE", use_dictionary=["label"])


class TarFile(Writer):
    """WebDataset: `<index>.png` and `<index>.json` of each image."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.members: list[bytes] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """As in the class above."""
        digests = []
        files = encode_all(block.images, "png")
        for index, data, label, number in zip(block.indices, files, block.labels, block.numbers, strict=True):
            said = {"index": index, **({} if label is None else {"label": label, "label_number": number})}
            self._member(f"{index:08d}.png", data)
            self._member(f"{index:08d}.json", json.dumps(said, ensure_ascii=False).encode())
            digests.append(hashlib.sha256(data).hexdigest())
        return [self.unit.name("tar")] * len(digests), digests

    def close(self) -> None:
        """As in the class above."""
        end = bytes(2 * tarfile.BLOCKSIZE)
        with atomic.replacing(self.target.artifact / self.unit.name("tar")) as temporary, temporary.open("wb") as file:
            file.writelines([*self.members, end])

    def _member(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)  # of the year 1970 and nobody: the same images are the same bytes
        info.size = len(data)
        padding = bytes(-len(data) % tarfile.BLOCKSIZE)
        self.members += [info.tobuf(tarfile.USTAR_FORMAT), data, padding]


class RecordFile(Writer):
    """TFRecords as ingest writes them: raw pixels, key, label's number."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.records: list[bytes] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """As in the class above."""
        for index, pixels, number in zip(block.indices, block.images, block.numbers, strict=True):
            self.records.append(frame(encode_example(pixels, key=f"{index:08d}", label=number)))
        return [self.unit.name("tfrecord")] * len(block.indices), _of_pixels(block)

    def close(self) -> None:
        """As in the class above."""
        path = self.target.artifact / self.unit.name("tfrecord")
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            file.writelines(self.records)


class ArrayFile(Writer):
    """One array of all images, `images.npy`: [N, H, W, C], uint8."""

    NAME = "images.npy"

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.array: Any = np.load(target.artifact / self.NAME, mmap_mode="r+")
        self.place = unit.first

    @classmethod
    def prepare(cls, target: Target, shape: tuple[int, int, int]) -> None:
        """Makes the file, of zeros, unless it is there from before a kill."""
        path = target.artifact / cls.NAME
        if not path.exists():
            with atomic.replacing(path) as temporary:
                np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(target.images, *shape)).flush()

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """As in the class above."""
        self.array[self.place : self.place + len(block.indices)] = block.images
        self.place += len(block.indices)
        return [self.NAME] * len(block.indices), _of_pixels(block)

    def close(self) -> None:
        """As in the class above."""
        self.array.flush()
        del self.array


def make_writer(format: str, target: Target, unit: FileUnit) -> Writer:
    """The writer of a format of `generate.format`."""
    match format:
        case "png" | "webp":
            return ImageFiles(target, unit, suffix=format)
        case "parquet":
            return ParquetFile(target, unit)
        case "webdataset":
            return TarFile(target, unit)
        case "tfrecord":
            return RecordFile(target, unit)
        case "npy":
            return ArrayFile(target, unit)
    raise ValueError(f"no format of a set is called {format!r}")


def _of_pixels(block: Block) -> list[str]:
    return [hashlib.sha256(pixels).hexdigest() for pixels in np.ascontiguousarray(block.images)]
