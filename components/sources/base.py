"""What every source does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np

from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ImageFiles

T = TypeVar("T")

RawImage = bytes | np.ndarray  # a file's bytes, or uint8 pixels [H, W] or [H, W, C]

NAMES_PER_PART = 1_000  # of large photographs, some seconds of reading


class ReadError(Exception):
    """One image cannot be read. The message says why."""


@dataclass(frozen=True)
class Item:
    """One image of a source.

    Attributes:
        key: Names it within the source, for good.
        label: Its label, where the source has one.
        split: The split that the source itself puts it in: train, validation, test, or None.
        place: Where `Source.read` finds it again; None where it can only be had while its part is read through.
    """

    key: str
    label: str | None = None
    split: str | None = None
    place: str | None = None


class Part(NamedTuple):
    """What a worker lists in one go.

    Attributes:
        names: What `Source.images` is to read: names of images, or of one file that holds many.
        images: How many images these are, or are likely to be.
    """

    names: list[str]
    images: int


Found = tuple[Item, RawImage | OSError | ReadError]


class Source(ABC):
    """A place that images come from. It is only ever read.

    Args:
        settings: The recipe's entry.
        preprocess: Whose limits hold while it is read: what is larger is cut off one byte beyond, and rejected later.

    Attributes:
        encoded: Whether its images are files that have to be decoded, and not pixels.
    """

    encoded = True

    def __init__(self, settings: Any, preprocess: PreprocessSettings) -> None:
        self.settings = settings
        self.preprocess = preprocess

    @abstractmethod
    def digest(self) -> str:
        """Sha256 (hex) of the content: the same images under the same names give the same digest anywhere."""

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """All of it, part by part, in an order that depends on names alone. No image is read."""

    @abstractmethod
    def images(self, names: list[str]) -> Iterator[Found]:
        """Every image of a part, undecoded where it is a file; or, in its stead, why it cannot be read.

        Raises:
            DataError: The part itself is broken.
        """

    @abstractmethod
    def read(self, place: str) -> RawImage:
        """An image that has a place.

        Raises:
            FileNotFoundError: It has gone.
            OSError, ReadError: It cannot be read.
        """


class FileNames(Source):
    """A place of image files with names, each of which can be read by itself: a folder, a zip archive."""

    settings: ImageFiles

    @abstractmethod
    def keys(self) -> Iterator[str]:
        """Every file's name, with its folders, in an order that depends on names alone."""

    def items(self) -> Iterator[Item]:
        """What the names say, without reading a file."""
        return map(self.item, self.keys())

    def parts(self) -> Iterator[Part]:
        """A thousand names each."""
        for names in chunks(self.keys(), NAMES_PER_PART):
            yield Part(names, len(names))

    def images(self, names: list[str]) -> Iterator[Found]:
        """These files."""
        for key in names:
            item = self.item(key)
            try:
                yield item, self.read(key)
            except (OSError, ReadError) as error:
                yield item, error

    def item(self, key: str) -> Item:
        """What a name says of label and split."""
        return named_item(key, self.settings, place=key)


def named_item(key: str, settings: ImageFiles, *, place: str | None) -> Item:
    """What an image file's name says of its label and its split."""
    folders = key.split("/")[:-1]
    label = {"none": [], "first_folder": folders[:1], "last_folder": folders[-1:]}[settings.label]
    return Item(key, label[0] if label else None, own_split(key, settings.test), place)


def own_split(key: str, test: Sequence[str]) -> str | None:
    """The split that a source's `test` patterns put a name in; None where there are no patterns."""
    if not test:
        return None
    return "test" if any(fnmatchcase(key, pattern) for pattern in test) else "train"


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Values in lists of so many; the last may be shorter."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
