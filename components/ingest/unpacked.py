"""A scratch file for images of sources that can only be read from front to back.

A gzipped archive or a column of a Parquet file can only be read from front to back, but shards are written in another
order. Images without a place in their source get one here. No name from an archive ever becomes a file name.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from components.sources import RawImage
from schemas import atomic


class UnpackedWriter:
    """A writer of a file of images, one after another; the file is complete after the block, or absent if empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replacing = atomic.replacing(path)
        self._file: IO[bytes] | None = None
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def put(self, raw: RawImage) -> str:
        """Append an image and return its place."""
        if self._file is None:
            self._file = self._replacing.__enter__().open("wb")
        data = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).tobytes()
        shape = "" if isinstance(raw, bytes) else "x".join(map(str, raw.shape))
        place = f"{self._end}+{len(data)}:{shape}"
        self._file.write(data)
        self._end += len(data)
        return place

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._replacing.__exit__(kind, error, trace)


def read_unpacked(path: Path, place: str) -> RawImage:
    """Return an image that `UnpackedWriter.put` wrote.

    Raises:
        OSError: It is not there.
    """
    stretch, shape = place.split(":")
    start, size = map(int, stretch.split("+"))
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(size)
    return np.frombuffer(data, np.uint8).reshape([int(length) for length in shape.split("x")]) if shape else data
