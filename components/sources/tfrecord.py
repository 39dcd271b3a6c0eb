"""TFRecords of raw pixels, as `generate` writes them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from components.sources import files
from components.sources.base import Item, Part, ReadError, Source, SourceImage
from components.sources.image_set import TABLE, labels_in_set, shape_in_set
from schemas.artifacts.records import decode_example, records_in
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import TfRecordSource

_TYPICAL_RECORD_BYTES = 1 << 12  # to guess how many images a file holds


class TfRecords(Source):
    """The records of an image set, keyed `<file>#<key>`, with the labels of the set's table.

    A record holds the pixels' bytes, whose shape is in the set's manifest. Images have no place.
    """

    settings: TfRecordSource
    encoded = False

    def __init__(self, settings: TfRecordSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self.files = files.find_files(settings, endings=(".tfrecord",))

    def digest(self) -> str:
        """Return the sha256 over the names and contents of all files, those of labels included."""
        tables = sorted({table for path in self.files if (table := _table_of(path)[0])})
        contents = {TABLE if len(tables) == 1 else os.path.relpath(path, self.root): path for path in tables}
        contents |= {files.name_in(self.root, path): path for path in self.files}
        lines = (f"{name}\0{files.digest_of(path)}\n" for name, path in contents.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def parts(self) -> Iterator[Part]:
        """Yield a part for each file, with a number of images guessed from its size."""
        for path in self.files:
            yield Part([files.name_in(self.root, path)], files.size_of(path) // _TYPICAL_RECORD_BYTES)

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield images in the file's order."""
        (name,) = names
        path = files.path_in(self.root, name)
        table, name_in_table, folder = _table_of(path)
        labels = labels_in_set(table, name_in_table) if table else []
        with files.open_file(path) as file:
            for number, record in enumerate(records_in(file, name=path)):
                try:
                    pixels, key, _ = decode_example(record)
                except Exception as error:  # protobuf's own errors, and features that are missing
                    raise DataError(
                        f"{path}: expected TFRecords that generate wrote (image, key, label), found others "
                        f"({type(error).__name__}); save the images as files, Parquet, WebDataset or .npy"
                    ) from None
                label = labels[number] if number < len(labels) else None
                yield Item(f"{name}#{key}", label), _pixels(pixels, folder)

    def read(self, place: str) -> NDArray[np.uint8]:
        """Refuse: no image has a place."""
        raise ReadError(f"an image of a TFRecord has no place, found {place}")


def _table_of(path: str) -> tuple[str | None, str, str]:
    """Return the table that names a file, the file's name in it, and the set's folder; None where there is no table."""
    folder, name = os.path.split(path)
    for top, inside in ((folder, name), (os.path.dirname(folder), f"{os.path.basename(folder)}/{name}")):
        table = os.path.join(top, TABLE)
        if files.is_file(table):
            return table, inside, top
    return None, name, os.path.dirname(folder)


def _pixels(raw: bytes | list[float], folder: str) -> NDArray[np.uint8] | ReadError:
    if not isinstance(raw, bytes):
        return ReadError("the record holds normalised values, and no pixels")
    shape = shape_in_set(folder, len(raw))
    if shape is None:
        return ReadError(f"{len(raw):,} bytes, of which no manifest beside it says height and width")
    pixels = np.frombuffer(raw, np.uint8).reshape(shape)
    return pixels[:, :, 0] if shape[2] == 1 else pixels
