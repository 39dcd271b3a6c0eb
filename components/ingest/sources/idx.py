"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist): magic number, sizes, then the values."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from components.ingest.sources.base import Item, Source, existing_path
from schemas.artifacts import sha256_of
from schemas.errors import DataError, UsageError
from schemas.sources import IdxSource

_UBYTE = 0x08
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}  # by the file name's first part


class Idx(Source):
    """Pairs of `…-images-idx3-ubyte` and `…-labels-idx1-ubyte`, each plain or `.gz`; labels may be missing."""

    settings: IdxSource

    def __init__(self, settings: IdxSource) -> None:
        super().__init__(settings)
        path = existing_path(settings)
        self.root = path if path.is_dir() else path.parent
        self.files = _packed_once(sorted(path.glob("*images*idx3*"))) if path.is_dir() else [path]
        if not self.files:
            raise UsageError(
                f"sources.path: kind idx expects files named …-images-idx3-ubyte or ….gz, found none in {path}"
            )

    def digest(self) -> str:
        """Sha256 over the files' names and contents."""
        files = [*self.files, *(found for file in self.files if (found := _labels_of(file)))]
        lines = (f"{file.name}\0{sha256_of(file)}\n" for file in sorted(files))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def items(self) -> Iterator[Item]:
        """Images in the files' order, keyed `<file>#<number>`.

        Raises:
            DataError: A header and a content do not fit.
        """
        splits = {file: _SPLITS.get(file.name.split("-")[0]) for file in self.files}
        divided = "test" in splits.values() and set(splits.values()) != {"test"}
        for file in self.files:
            images = read_idx(file, dimensions=3)
            labels = None
            if label_file := _labels_of(file):
                labels = read_idx(label_file, dimensions=1)
                if len(labels) != len(images):
                    raise DataError(f"{label_file}: expected {len(images):,} labels, found {len(labels):,}")
            split = splits[file] if divided else None  # half a division is none
            for number in range(len(images)):
                label = None if labels is None else str(labels[number])
                yield Item(f"{file.name}#{number:06d}", label, split)

    def read(self, key: str) -> np.ndarray:
        """One image: [H, W], uint8."""
        name, number = key.rsplit("#", 1)
        pixels: np.ndarray = read_idx(self.root / name, dimensions=3)[int(number)]
        return pixels


@lru_cache(maxsize=4)
def read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """The values of an IDX file of unsigned bytes, with so many dimensions.

    Raises:
        DataError: It is not such a file, or its length is not what its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, _UBYTE, dimensions)):
                raise DataError(
                    f"{path}: expected an IDX header of unsigned bytes in {dimensions} dimensions "
                    f"(00 00 08 {dimensions:02x}), found {header[:4].hex(' ') or 'an empty file'}"
                )
            shape = struct.unpack(f">{dimensions}I", header[4:])
            size = math.prod(shape)
            # What is there is read in pieces: a header that lies cannot make us reserve memory for its lie.
            pieces, found = [], 0
            while found <= size and (piece := file.read(min(1 << 24, size + 1 - found))):
                pieces.append(piece)
                found += len(piece)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: expected whole gzip data, found a broken file ({error})") from None
    if found != size:
        claim = " × ".join(f"{length:,}" for length in shape)
        more = "more" if found > size else f"{found:,}"
        raise DataError(f"{path}: expected {size:,} bytes after a header that says {claim}, found {more}")
    return np.frombuffer(b"".join(pieces), np.uint8).reshape(shape)


def _packed_once(files: list[Path]) -> list[Path]:
    """Without the `.gz` of a file that was unpacked beside it."""
    return [file for file in files if file.suffix != ".gz" or file.with_suffix("") not in files]


def _labels_of(file: Path) -> Path | None:
    name = file.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for candidate in (file.with_name(name), file.with_name(f"{name}.gz")):
        if candidate.is_file() and candidate != file:
            return candidate
    return None
