"""Where images come from: one class per kind of source, each in its own file."""

from __future__ import annotations

from components.sources.array import Array
from components.sources.base import (
    FileNames,
    Item,
    LeftOutError,
    MissingError,
    NamedFiles,
    Part,
    RawImage,
    ReadError,
    Source,
    SourceImage,
)
from components.sources.digits import Digits
from components.sources.folder import Folder
from components.sources.idx import Idx
from components.sources.parquet import Parquet
from components.sources.table import Table
from components.sources.tar import Tar
from components.sources.tfrecord import TfRecords
from components.sources.webdataset import WebDataset
from components.sources.zip import Zip
from schemas.recipe import sources
from schemas.recipe.preprocess import PreprocessSettings

_CLASSES: dict[type, type[Source]] = {
    sources.IdxSource: Idx,
    sources.FolderSource: Folder,
    sources.ZipSource: Zip,
    sources.TarSource: Tar,
    sources.WebDatasetSource: WebDataset,
    sources.ParquetSource: Parquet,
    sources.ArraySource: Array,
    sources.TableSource: Table,
    sources.TfRecordSource: TfRecords,
    sources.DigitsSource: Digits,
}


def open_source(settings: sources.Source, preprocess: PreprocessSettings | None = None) -> Source:
    """Open the source that an entry of a recipe describes, with the limits of its `preprocess` section.

    Raises:
        UsageError: The source is not there, or not of this kind.
        DataError: The source is broken.
    """
    return _CLASSES[type(settings)](settings, preprocess or PreprocessSettings())


__all__ = [
    "FileNames",
    "Item",
    "LeftOutError",
    "MissingError",
    "NamedFiles",
    "Part",
    "RawImage",
    "ReadError",
    "Source",
    "SourceImage",
    "open_source",
]
