"""WebDataset: tar archives of samples (https://github.com/webdataset/webdataset).

Files that stand beside each other and share their name up to the first dot of its last part are one sample:
`train/0001.jpg`, `train/0001.cls` and `train/0001.json` are the sample `train/0001`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from components.sources import files
from components.sources.base import Item, ReadError, SourceImage, own_split
from components.sources.tar import TarArchives
from components.sources.tar_file import Archive, Member, open_archive
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import WebDatasetSource

IMAGES = frozenset(("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm"))
_NOT_IN_WORDS = re.compile("[\0-\x1f\x7f\ud800-\udfff]")  # JSON can spell half of a surrogate pair
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class WebDataset(TarArchives):
    """The image of every sample, labelled by the sample's `.cls` or, without one, by a field of its `.json`.

    A sample whose label cannot be read is rejected, rather than taken as one without a label. Files of other kinds,
    such as `0001.mask.png`, are skipped.
    """

    settings: WebDatasetSource

    def _archive_paths(self, paths: list[str]) -> list[str]:
        if len(paths) > 1 and files.is_remote(paths[0]):
            return paths  # a match in a bucket is always a file, and asking would cost a round trip for each
        archives = []
        for path in paths:
            inside = files.walk(path) if files.is_folder(path) else None
            archives += [path] if inside is None else [file for file in inside if file.lower().endswith(_ARCHIVES)]
        if not archives:
            raise UsageError(f"sources.path: kind webdataset expects .tar archives, found none in {paths[0]}")
        return archives

    def _images(self, name: str, prefix: str, archive: Archive) -> Iterator[SourceImage]:
        earlier_samples: set[str] = set()
        files_of_samples = (member for member in archive.members() if all(sample_and_kind(member)))
        for sample, members in groupby(files_of_samples, key=lambda member: sample_and_kind(member)[0]):
            if sample in earlier_samples:
                raise DataError(
                    f"{archive.path}: expected the files of a sample beside each other, found {sample} in two places; "
                    "pack it anew with tar --sort=name"
                )
            earlier_samples.add(sample)
            yield from self._sample(name, prefix + sample, archive, members)

    def _sample(self, name: str, key: str, archive: Archive, members: Iterable[Member]) -> Iterator[SourceImage]:
        images: list[tuple[str | None, bytes | ReadError]] = []
        annotations: dict[str, bytes | ReadError] = {}  # by extension
        for member in members:
            kind = sample_and_kind(member)[1]
            if kind in IMAGES:
                raw = _read(archive, member) if not images else ReadError("a second image of its sample")
                images.append((None if member.problem else self.place(name, archive, member), raw))
            elif kind in ("cls", "json"):
                annotations[kind] = _read(archive, member)
        try:
            label = self._label(annotations)
        except ReadError as error:
            label = None
            images = [(place, raw if isinstance(raw, ReadError) else error) for place, raw in images]
        for place, raw in images:
            yield Item(key, label, own_split(key, self.settings.test), place), raw

    def _label(self, annotations: dict[str, bytes | ReadError]) -> str | None:
        try:
            if "cls" in annotations:
                return _as_label(_text(annotations["cls"]).strip(), "it")
            fields = json.loads(_text(annotations["json"])) if "json" in annotations else None
            name = self.settings.label_field
            return _as_label(fields.get(name), name) if isinstance(fields, dict) else None
        except (ReadError, ValueError, RecursionError) as error:
            raise ReadError(f"its .{'cls' if 'cls' in annotations else 'json'}: {error}") from None


def sample_and_kind(member: Member) -> tuple[str, str]:
    """Return the sample that a member belongs to, and its extension in small letters; either may be empty."""
    folder, slash, last = member.name.rpartition("/")
    sample, _, kind = last.partition(".")
    return folder + slash + sample, kind.lower()


def holds_samples(path: str) -> bool:
    """Return whether an archive begins with images that have a `.cls` or a `.json` beside them.

    Raises:
        DataError: It is no archive, or a broken one.
    """
    with open_archive(path, PreprocessSettings()) as archive:
        first_members = [sample_and_kind(member) for member in islice(archive.members(), 64)]
    annotated = {sample for sample, kind in first_members if kind in ("cls", "json")}
    return any(sample in annotated for sample, kind in first_members if kind in IMAGES)


def _text(raw: bytes | ReadError) -> str:
    if isinstance(raw, ReadError):
        raise raw
    return raw.decode("utf-8")


def _as_label(value: object, where: str) -> str | None:
    match value:
        case None:
            return None
        case bool() | int():
            return json.dumps(value)
        case float() if value.is_integer():
            return str(int(value))
        case str() if value.strip() and not _NOT_IN_WORDS.search(value):
            return value.strip()
    raise ReadError(f"expected a word or a whole number in {where}, found {value!r:.60}")


def _read(archive: Archive, member: Member) -> bytes | ReadError:
    try:
        return archive.read(member)
    except ReadError as error:
        return error
