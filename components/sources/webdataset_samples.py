"""How the files of a tar archive become samples.

Files that stand beside each other and share their name up to the first dot of its last part are one sample:
`train/0001.jpg`, `train/0001.cls` and `train/0001.json` are the sample `train/0001`. Where that leaves no file of a sample
a simple ending, as in `v2.0 (clean).jpg`, the last dot counts instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice
from typing import NamedTuple

from components.sources.base import ReadError
from components.sources.tar_file import Archive, Member, open_archive
from schemas.recipe.preprocess import PreprocessSettings

IMAGES = frozenset({
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pbm", "avif", "heic", "heif", "jxl",
})  # fmt: skip
_ABOUT_IMAGES = frozenset(
    ("mask", "masks", "seg", "segmentation", "depth", "alpha", "edges", "label", "thumb", "thumbnail")
)
_SIMPLE_ENDING = re.compile("[a-z][a-z0-9_]*")
_UNDECIDED = 16  # files of a sample that are held in memory at most, until one has a simple ending
FIRST = 64  # members that tell what an archive holds


class SampleFile(NamedTuple):
    """A file of a sample: its sample's name, its ending in small letters (`jpg`, `left.jpg`), its bytes if they are read."""

    sample: str
    ending: str
    member: Member
    raw: bytes | ReadError | None = None

    @property
    def kind(self) -> str:
        """The last part of the ending."""
        return self.ending.rpartition(".")[2]

    @property
    def is_image(self) -> bool:
        """Whether it is an image, and none about another, such as a mask."""
        beside, _, kind = self.ending.rpartition(".")
        return kind in IMAGES and beside.rpartition(".")[2] not in _ABOUT_IMAGES


def samples(named: Iterable[SampleFile], *, first_dot: bool = False) -> Iterator[tuple[str, Iterable[SampleFile]]]:
    """Yield every sample's name and its files, which must be taken before the next sample.

    Args:
        named: Files, with their names divided at the first dot.
        first_dot: Whether the first dot counts in any case.
    """
    for sample, group in groupby(named, key=lambda file: file.sample):
        first: list[SampleFile] = []
        simple = first_dot
        while not simple and len(first) < _UNDECIDED and (file := next(group, None)):
            first.append(file)
            simple = _SIMPLE_ENDING.fullmatch(file.ending) is not None
        if simple:
            yield sample, chain(first, group)
        else:
            yield from groupby(map(_at_last_dot, chain(first, group)), key=lambda file: file.sample)


def holds_samples(path: str) -> bool:
    """Return whether an archive begins with images that have a `.cls` or a `.json` beside them.

    Raises:
        DataError: It is no archive, or a broken one.
    """
    with open_archive(path, PreprocessSettings()) as archive:
        kinds = [{file.kind for file in sample} for sample in first_samples(archive)]
    return any(kinds_of_one & IMAGES and kinds_of_one & {"cls", "json"} for kinds_of_one in kinds)


def first_samples(archive: Archive, *, read: str = "") -> list[list[SampleFile]]:
    """Return the first samples, and the bytes of their files with one ending."""
    named = (file for member in islice(archive.members(), FIRST) if (file := file_of(member)))
    some_read = (
        file._replace(raw=read_or_error(archive, file.member)) if file.ending == read else file for file in named
    )
    return [list(sample) for _, sample in samples(some_read)]


def file_of(member: Member) -> SampleFile | None:
    """Return a member as a file of a sample, with its name divided at the first dot; None where nothing is before or after."""
    folder, slash, last = member.name.rpartition("/")
    sample, _, ending = last.partition(".")
    name = folder + slash + sample
    return SampleFile(name, ending.lower(), member) if name and ending else None


def read_or_error(archive: Archive, member: Member) -> bytes | ReadError:
    """Return the bytes of a member, or the error that says why they cannot be read."""
    try:
        return archive.read(member)
    except ReadError as error:
        return error


def _at_last_dot(file: SampleFile) -> SampleFile:
    """Return the file with its name divided at the last dot, or before the word for what is about an image: `mask.png`."""
    folder, slash, last = file.member.name.rpartition("/")
    sample, _, ending = last.rpartition(".")
    beside, _, about = sample.rpartition(".")
    if about.lower() in _ABOUT_IMAGES:
        sample, ending = beside, f"{about}.{ending}"
    return file._replace(sample=folder + slash + sample, ending=ending.lower())
