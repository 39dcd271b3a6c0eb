"""What every source does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import UsageError
from schemas.sources import ImageFiles

RawImage = bytes | np.ndarray  # a file's bytes, or uint8 pixels [H, W] or [H, W, C]


class ReadError(Exception):
    """One image cannot be read. The message says why."""


@dataclass(frozen=True)
class Item:
    """One image of a source.

    Attributes:
        key: Names it within the source, for good.
        label: Its label, where the source has one.
        split: The split that the source itself puts it in: train, test, or None.
    """

    key: str
    label: str | None = None
    split: str | None = None


class Source(ABC):
    """A place that images come from. It is only ever read."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def digest(self) -> str:
        """Sha256 (hex) of the content: the same images under the same names give the same digest anywhere."""

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """Every image, in an order that depends on names alone."""

    @abstractmethod
    def read(self, key: str) -> RawImage:
        """One image, undecoded where it is a file.

        Raises:
            FileNotFoundError: It has gone.
            ReadError: It cannot be read.
        """


class ImageFileSource(Source):
    """A place of named image files: what their names say of label and split."""

    settings: ImageFiles

    def item(self, key: str) -> Item:
        """The file of this name, folders included."""
        folders = key.split("/")[:-1]
        place = {"none": [], "first_folder": folders[:1], "last_folder": folders[-1:]}[self.settings.label]
        split = None
        if self.settings.test:
            split = "test" if any(fnmatchcase(key, pattern) for pattern in self.settings.test) else "train"
        return Item(key, place[0] if place else None, split)


def existing_path(settings: Any) -> Path:
    """The path of a source's settings.

    Raises:
        UsageError: None is set, or nothing is there.
    """
    if settings.path is None:
        raise UsageError("sources: expected the path of your images, found none; set SOURCE=… (or --source …)")
    path = Path(settings.path).expanduser()
    if not path.exists():
        raise UsageError(f"sources.path: expected a file or folder, found nothing at {path}; set SOURCE=…")
    return path
