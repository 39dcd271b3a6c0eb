"""Where images come from: one class per kind of source, each in a file of its own."""

from __future__ import annotations

from components.ingest.sources.base import Item, RawImage, ReadError, Source
from components.ingest.sources.digits import Digits
from components.ingest.sources.folder import Folder
from components.ingest.sources.idx import Idx
from components.ingest.sources.zip import Zip
from schemas import sources

_CLASSES: dict[type, type[Source]] = {
    sources.IdxSource: Idx,
    sources.FolderSource: Folder,
    sources.ZipSource: Zip,
    sources.DigitsSource: Digits,
}


def open_source(settings: sources.Source) -> Source:
    """The source that a recipe's entry describes.

    Raises:
        UsageError: It is not there, or not of this kind.
    """
    return _CLASSES[type(settings)](settings)


__all__ = ["Item", "RawImage", "ReadError", "Source", "open_source"]
