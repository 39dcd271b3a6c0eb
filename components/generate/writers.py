"""Writers of a set, one class for each format.

A writer writes one `FileUnit`. Its files are whole when `close` returns; the unit counts as finished when its rows are
written, after that.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
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
    """N images of a set that were made together.

    Attributes:
        indices: Indices of the images: [N].
        images: Pixels: [N, H, W, C], uint8.
        codes: Codes of the images: [N, D].
        labels: Labels of the images; None where the generator takes no labels: [N].
        numbers: Numbers of these labels, -1 for none: [N].
    """

    indices: list[int]
    images: NDArray[np.uint8]
    codes: NDArray[np.float32]
    labels: list[str | None]
    numbers: list[int]


@dataclass(frozen=True)
class Target:
    """The folder of a set.

    Attributes:
        artifact: Path of the folder.
        images: Number of images in the set.
        label_folders: The folder of each label (`plan.folders_of`), if each image's file goes into one; None otherwise.
    """

    artifact: Path
    images: int
    label_folders: Mapping[str, str] | None = None


class Writer(ABC):
    """A writer of one `FileUnit`."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        self.target = target
        self.unit = unit

    @abstractmethod
    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Add the next images; return the file of each within the artifact, and the sha256 (hex) of its bytes there."""

    @abstractmethod
    def close(self) -> None:
        """Finish the files, and flush them to the disk."""


class ImageFiles(Writer):
    """Writer of one PNG or WebP file per image."""

    def __init__(self, target: Target, unit: FileUnit, *, suffix: str) -> None:
        super().__init__(target, unit)
        self.suffix = suffix
        self.folders: set[str] = set()
        self.names: list[str] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Write a file for each image."""
        names, digests, root = [], [], os.fspath(self.target.artifact)
        files = encode_all(block.images, self.suffix)
        for index, data, label in zip(block.indices, files, block.labels, strict=True):
            folders = self.target.label_folders
            folder = folders[label] if folders is not None and label is not None else None
            name = image_name(index, suffix=self.suffix, folder=folder)
            if (within := name.rpartition("/")[0]) not in self.folders:
                (self.target.artifact / within).mkdir(parents=True, exist_ok=True)
                self.folders.add(within)
            # Without a temporary name: the unit counts as finished only when its rows are written.
            with open(f"{root}/{name}", "wb", buffering=0) as file:
                file.write(data)
            names.append(name)
            digests.append(hashlib.sha256(data).hexdigest())
        self.names += names
        return names, digests

    def close(self) -> None:
        """Write a file for each image."""
        atomic.fsync_all([self.target.artifact / name for name in self.names], below=self.target.artifact)


class ParquetFile(Writer):
    """Writer of a Parquet file with a row per image: `image` (bytes, path), `index`, `label`."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.tables: list[pa.Table] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Encode the next images, and keep them in memory."""
        files = encode_all(block.images, "png")
        paths = [f"{index:08d}.png" for index in block.indices]
        image = pa.StructArray.from_arrays([pa.array(files, pa.binary()), pa.array(paths)], fields=list(IMAGE))
        columns = [image, pa.array(block.indices, pa.int64()), pa.array(block.labels, pa.string())]
        self.tables.append(pa.table(columns, names=["image", "index", "label"]))
        return [self.unit.name("parquet")] * len(files), [hashlib.sha256(data).hexdigest() for data in files]

    def close(self) -> None:
        """Write the file."""
        with atomic.replacing(self.target.artifact / self.unit.name("parquet")) as temporary:
            # Compression would not make PNG files smaller.
            pq.write_table(pa.concat_tables(self.tables), temporary, compression="NONE", use_dictionary=["label"])


class TarFile(Writer):
    """Writer of a WebDataset: `<index>.png` and `<index>.json` of each image in a tar file."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.members: list[bytes] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Encode the next images, and keep them in memory."""
        digests = []
        files = encode_all(block.images, "png")
        for index, data, label, number in zip(block.indices, files, block.labels, block.numbers, strict=True):
            description = {"index": index, **({} if label is None else {"label": label, "label_number": number})}
            self._member(f"{index:08d}.png", data)
            self._member(f"{index:08d}.json", json.dumps(description, ensure_ascii=False).encode())
            digests.append(hashlib.sha256(data).hexdigest())
        return [self.unit.name("tar")] * len(digests), digests

    def close(self) -> None:
        """Write the file."""
        end = bytes(2 * tarfile.BLOCKSIZE)
        with atomic.replacing(self.target.artifact / self.unit.name("tar")) as temporary, temporary.open("wb") as file:
            file.writelines([*self.members, end])

    def _member(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)  # without time and owner, so that the same images are the same bytes
        info.size = len(data)
        padding = bytes(-len(data) % tarfile.BLOCKSIZE)
        self.members += [info.tobuf(tarfile.USTAR_FORMAT), data, padding]


class RecordFile(Writer):
    """Writer of TFRecords like those of ingest: raw pixels, key, label's number."""

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.records: list[bytes] = []

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Encode the next images, and keep them in memory."""
        for index, pixels, number in zip(block.indices, block.images, block.numbers, strict=True):
            self.records.append(frame(encode_example(pixels, key=f"{index:08d}", label=number)))
        return [self.unit.name("tfrecord")] * len(block.indices), _pixel_digests(block)

    def close(self) -> None:
        """Write the file."""
        path = self.target.artifact / self.unit.name("tfrecord")
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            file.writelines(self.records)


class ArrayFile(Writer):
    """Writer of one array of all images, `images.npy`: [N, H, W, C], uint8."""

    NAME = "images.npy"

    def __init__(self, target: Target, unit: FileUnit) -> None:
        super().__init__(target, unit)
        self.array: Any = np.load(target.artifact / self.NAME, mmap_mode="r+")
        self.place = unit.first

    @classmethod
    def prepare(cls, target: Target, shape: tuple[int, int, int]) -> None:
        """Create the file, filled with zeros, unless an interrupted run has created it."""
        path = target.artifact / cls.NAME
        if not path.exists():
            with atomic.replacing(path) as temporary:
                np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(target.images, *shape)).flush()

    def add(self, block: Block) -> tuple[list[str], list[str]]:
        """Copy the next images into the array."""
        self.array[self.place : self.place + len(block.indices)] = block.images
        self.place += len(block.indices)
        return [self.NAME] * len(block.indices), _pixel_digests(block)

    def close(self) -> None:
        """Flush the array to the disk."""
        self.array.flush()
        del self.array


def make_writer(format: str, target: Target, unit: FileUnit) -> Writer:
    """Return a writer for a format of `generate.format`."""
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
    raise ValueError(f"no format is called {format!r}")


def _pixel_digests(block: Block) -> list[str]:
    """Return the sha256 of each image's pixels."""
    return [hashlib.sha256(pixels).hexdigest() for pixels in np.ascontiguousarray(block.images)]
