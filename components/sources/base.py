"""The interface of all sources, and what sources of named image files share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.sources.system_folders import REASON, in_system_folder
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ImageFiles

T = TypeVar("T")

RawImage = bytes | NDArray[np.uint8]  # a file's bytes, or pixels [H, W] or [H, W, C]

LEAVE_OUT = "by sources.leave_out"  # a reason of `Source.left_out`
NAMES_PER_PART = 1_000  # reading this number of large photographs takes some seconds


class ReadError(Exception):
    """One image cannot be read; the message says why."""


class MissingError(ReadError):
    """A source names an image's file, and there is no such file; the message names it."""


class LeftOutError(ReadError):
    """A file is not looked at; the message says why, as the reasons of `Source.left_out` do."""


@dataclass(frozen=True)
class Item:
    """One image of a source.

    Attributes:
        key: Its permanent name within the source.
        label: Its label, if the source has one.
        split: The split that the source itself puts it in: train, validation, test, or None.
        place: Where `Source.read` finds it again; None if it is only available while its part is read from front to back.
    """

    key: str
    label: str | None = None
    split: str | None = None
    place: str | None = None


class Part(NamedTuple):
    """A part of a source that one worker lists at a time.

    Attributes:
        names: Argument of `Source.images`: names of images, or of one file that holds many.
        images: How many images these are, or are likely to be.
    """

    names: list[str]
    images: int


SourceImage = tuple[Item, RawImage | OSError | ReadError]  # an image, or the error that reading it raised


class Source(ABC):
    """A place that images come from; it is only read, never written.

    Args:
        settings: The recipe's entry.
        preprocess: Its limits apply while images are read: a larger file is cut one byte beyond them, and rejected later.

    Attributes:
        encoded: Whether its images are files that have to be decoded, rather than pixels.
        left_out: Paths that were not followed, by reason; complete after `parts`.
    """

    encoded = True
    left_out: Mapping[str, list[str]] = MappingProxyType({})

    def __init__(self, settings: Any, preprocess: PreprocessSettings) -> None:
        self.settings = settings
        self.preprocess = preprocess

    @abstractmethod
    def digest(self) -> str:
        """Return the sha256 (hex) of the content; the same images under the same names have the same digest anywhere."""

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """Yield all parts, in an order that depends on names alone, without reading an image."""

    @abstractmethod
    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield every image of a part; files are not decoded.

        Raises:
            DataError: The part itself is broken.
        """

    @abstractmethod
    def read(self, place: str) -> RawImage:
        """Return the image at a place.

        Raises:
            FileNotFoundError: It is no longer there.
            OSError, ReadError: It cannot be read.
        """

    def remarks(self) -> list[str]:
        """Return sentences on how the source was understood where another reading is plausible, with the key that says it."""
        return []


CONTACT_SHEET = "contact_sheet.png"
GENERATED = ("manifest.json", "metadata.parquet")  # beside the contact sheet of a set that `generate` wrote


def is_contact_sheet(name: str, exists: Callable[[str], bool]) -> bool:
    """Return whether an image shows a set that `generate` wrote, rather than being one of its images.

    Args:
        name: Name of the image.
        exists: Says whether there is a file of a name.
    """
    folder, slash, last = name.rpartition("/")
    return last == CONTACT_SHEET and all(exists(f"{folder}{slash}{other}") for other in GENERATED)


class NamedFiles(Source):
    """A source of files with names, whose folders say labels and splits: see `components.sources.naming`."""

    settings: ImageFiles

    @abstractmethod
    def read(self, place: str) -> bytes:
        """Return a file's bytes."""

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Yield every file's name, with its folders, in an order that depends on names alone; read no image.

        Raises:
            DataError: The source is broken.
        """

    @abstractmethod
    def tables(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Yield key and bytes of every file with this last name.

        Raises:
            DataError: One cannot be read.
        """

    @abstractmethod
    def starts(self, keys: Collection[str], *, size: int) -> Iterator[tuple[str, bytes]]:
        """Yield key and first bytes of these files; nothing for one that cannot be read."""

    def why_left_out(self, key: str) -> str | None:
        """Return why a file is not looked at, as a reason of `left_out`; None: it is."""
        if in_system_folder(key):
            return REASON
        return LEAVE_OUT if any(fnmatchcase(key, pattern) for pattern in self.settings.leave_out) else None

    def item(self, key: str, *, place: str | None) -> Item:
        """Return the item of a name; its label depends on all names."""
        return Item(key, split=own_split(key, self.settings.test, self.settings.validation), place=place)


class FileNames(NamedFiles):
    """A source of image files, each of which can be read by itself: a folder, a zip archive."""

    def parts(self) -> Iterator[Part]:
        """Yield parts of a thousand names each."""
        for names in chunks(self.names(), NAMES_PER_PART):
            yield Part(names, len(names))

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield the files with these names."""
        for key in names:
            item = self.item(key, place=key)
            try:
                yield item, self.read(key)
            except (OSError, ReadError) as error:
                yield item, error

    @abstractmethod
    def start(self, key: str, *, size: int) -> bytes:
        """Return a file's first bytes.

        Raises:
            OSError, ReadError: It cannot be read.
        """

    def starts(self, keys: Collection[str], *, size: int) -> Iterator[tuple[str, bytes]]:
        """Yield key and first bytes of these files; nothing for one that cannot be read."""
        for key in keys:
            with suppress(OSError, ReadError):
                yield key, self.start(key, size=size)

    def tables(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Yield key and bytes of every file with this last name."""
        for key in self.names():
            if key.rpartition("/")[2] == name:
                try:
                    yield key, self.read(key)
                except (OSError, ReadError) as error:
                    raise DataError(f"{key}: expected a table beside the images, found {error}") from None


def own_split(key: str, test: Sequence[str], validation: Sequence[str] = ()) -> str | None:
    """Return the split that a source's `test` and `validation` patterns put a name in; None without patterns."""
    if not test and not validation:
        return None
    for split, patterns in (("test", test), ("validation", validation)):
        if any(fnmatchcase(key, pattern) for pattern in patterns):
            return split
    return "train"


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield values in lists of this size; the last one may be shorter."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
