"""WebDataset: tar archives of samples (https://github.com/webdataset/webdataset)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain, islice

from components.sources import files
from components.sources.annotations import (
    SPLIT_WORDS,
    label_text,
    remark_on_evaluation,
    split_word_of_path,
    splits_if_divided,
    splits_of_words,
)
from components.sources.base import Item, ReadError, SourceImage, own_split
from components.sources.columns import LABELS, named
from components.sources.shard_splits import others_for_training, remark_on_names, remark_on_others, splits_of_shards
from components.sources.tar import TarArchives
from components.sources.tar_file import Archive, open_archive
from components.sources.webdataset_samples import (
    FIRST,
    IMAGES,
    SampleFile,
    file_of,
    first_samples,
    read_or_error,
    samples,
)
from schemas.errors import DataError, UsageError
from schemas.recipe.sources import WebDatasetSource

_MOST_IMAGES = 64  # of a sample
_MOST_LISTED = 5_000  # members among which a second folder is looked for
_NOT_IN_WORDS = re.compile("[\0-\x1f\x7f\ud800-\udfff]")  # JSON can spell half of a surrogate pair
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class WebDataset(TarArchives):
    """The image of every sample, labelled by the sample's `.cls` or, without one, by a field of its `.json`.

    A sample whose label cannot be read is rejected, rather than taken as one without a label. Beside an image with a simple
    ending, `0001.jpg`, others such as `0001.mask.png` are skipped; without one, `0001.left.jpg` and `0001.right.jpg` are two
    images of the sample. If archives or their folders are named after splits, or folders in the only archive, and no patterns
    are set, these are the splits.
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
        named = (file for member in archive.members() if (file := file_of(member)))
        needed = IMAGES | {"cls", "json"}
        # Of a compressed archive, only the latest member can be read.
        read = (
            file._replace(raw=read_or_error(archive, file.member))
            if archive.compressed and file.kind in needed
            else file
            for file in named
        )
        for sample, members in samples(read, first_dot=self.settings.image is not None):
            if sample in earlier_samples:
                raise DataError(
                    f"{archive.path}: expected the files of a sample beside each other, found {sample} in two places; "
                    "pack it anew with tar --sort=name"
                )
            earlier_samples.add(sample)
            yield from self._sample(name, prefix + sample, archive, members)

    def _sample(self, name: str, key: str, archive: Archive, members: Iterable[SampleFile]) -> Iterator[SourceImage]:
        candidates: list[SampleFile] = []
        annotations: dict[str, bytes | ReadError] = {}  # by extension
        for file in members:
            if file.kind in IMAGES:
                too_many = ReadError(f"more than {_MOST_IMAGES} images in its sample")
                candidates.append(file if len(candidates) < _MOST_IMAGES else file._replace(raw=too_many))
            elif file.ending in ("cls", "json"):
                annotations[file.ending] = read_or_error(archive, file.member) if file.raw is None else file.raw
        try:
            label, wrong = self._label(annotations), None
        except ReadError as error:
            label, wrong = None, error
        chosen = self._choose(candidates)
        several = len(chosen) > 1 and all("." in file.ending for file in chosen)
        for number, file in enumerate(chosen):
            own_key = f"{key}.{file.ending.rpartition('.')[0]}" if several else key
            place = None if file.member.problem else self.place(name, archive, file.member)
            split = own_split(key, self.settings.test, self.settings.validation) or self._splits[name]
            split = split or self._splits_of_folders.get(_split_folder(key))
            raw: bytes | ReadError = wrong or ReadError("a second image of its sample")
            if not wrong and (several or number == 0):
                raw = read_or_error(archive, file.member) if file.raw is None else file.raw
            yield Item(own_key, label, split, place), raw

    def _choose(self, candidates: list[SampleFile]) -> list[SampleFile]:
        """Choose the images among the files of a sample."""
        if self.settings.image is not None:
            ending = self.settings.image.lower().lstrip(".")
            return [file for file in candidates if file.ending == ending]
        simple = [file for file in candidates if file.ending in IMAGES]
        return simple or [file for file in candidates if file.is_image]

    @cached_property
    def _words(self) -> dict[str, str | None]:
        """The split word in each archive's name, or in a folder's."""
        return {name: split_word_of_path(name) for name in self.archives}

    @cached_property
    def _splits(self) -> dict[str, str | None]:
        patterns = self.settings.test or self.settings.validation
        return dict.fromkeys(self.archives) if patterns else splits_of_shards(self._words)

    @cached_property
    def _splits_of_folders(self) -> dict[str | None, str | None]:
        """The split of each word that folders in the only archive are named by; empty unless they divide its images."""
        if self.settings.test or self.settings.validation or len(self.archives) > 1:
            return {}
        with open_archive(next(iter(self.archives.values())), self.preprocess) as archive:
            members = (file for member in archive.members() if (file := file_of(member)))
            first = list(islice(members, FIRST))
            if not any(_split_folder(file.member.name) for file in first):
                return {}  # the whole archive need not be read
            words = {_split_folder(file.member.name) for file in chain(first, members) if file.kind in IMAGES}
        splits = splits_of_words(word for word in words if word)
        divided = others_for_training(splits_if_divided({word: splits[word] if word else None for word in words}))
        return {word: split for word, split in divided.items() if split}

    def remarks(self) -> list[str]:
        """Return sentences on the first samples of the first archive, and on archives named after evaluation."""
        remarks = []
        other = "`test: [...]` names other test images"
        with open_archive(next(iter(self.archives.values())), self.preprocess) as archive:
            first = first_samples(archive, read="json")
        remarks += self._remarks_on_label(first)
        endings = [sorted(file.ending for file in self._choose(sample)) for sample in first]
        several = next((each for each in endings if len(each) > 1 and each[0] not in IMAGES), None)
        if several:
            names = " and ".join(f"`{ending}`" for ending in several)
            remarks.append(
                f"A sample has {len(several)} images, {names}, and each was taken; `image: {several[0]}` takes one."
            )
        if any(self._splits.values()):
            remarks += remark_on_others(self._words, self._splits, other=other)
            words = {word for word in self._words.values() if word}
            remarks += remark_on_evaluation(words, other=other)
        words = {word for word in self._splits_of_folders if word}
        if None in self._splits_of_folders:
            remarks.append(remark_on_names(["other folders"], beside=words, other=other))
        return remarks + remark_on_evaluation(words, other=other)

    def _remarks_on_label(self, first: list[list[SampleFile]]) -> list[str]:
        """Return sentences on the fields and folders that could be the labels, if the first samples have none."""
        fields: dict[str, object] = {}
        for file in (file for sample in first for file in sample):
            if file.ending == "cls":
                return []
            if file.ending == "json" and isinstance(file.raw, bytes):
                try:
                    content = json.loads(file.raw)
                except (ValueError, RecursionError):
                    continue  # listing rejects its image
                fields |= content if isinstance(content, dict) else {}
        if fields.get(self.settings.label_field) is not None:
            return []
        names = [name for name, value in fields.items() if isinstance(value, str | int)]
        usual = named(names, LABELS)
        sentence = "No image has a label"
        if len(usual) == 1:
            sentence += f": the .json have no `{self.settings.label_field}`; `label_field: {usual[0]}` takes this one."
        elif names:
            sentence += f": the .json have no `{self.settings.label_field}`; `label_field: …` takes one, of "
            sentence += f"{', '.join(f'`{name}`' for name in names):.200}."
        remarks = [sentence] if names else []
        if self._has_class_folders():
            remarks.append("The folders in the archive are not taken as labels; `kind: tar` takes them.")
        return remarks

    def _has_class_folders(self) -> bool:
        """Return whether images are in several folders, beside those that name splits."""
        folders: set[str] = set()
        with open_archive(next(iter(self.archives.values())), self.preprocess) as archive:
            for file in map(file_of, islice(archive.members(), _MOST_LISTED)):
                folder = file.member.name.rpartition("/")[0].rpartition("/")[2] if file and file.kind in IMAGES else ""
                if folder and folder.lower() not in SPLIT_WORDS:
                    folders.add(folder)
                if len(folders) > 1:
                    return True
        return False

    def _label(self, annotations: dict[str, bytes | ReadError]) -> str | None:
        try:
            if "cls" in annotations:
                return _as_label(_text(annotations["cls"]).strip(), "it")
            fields = json.loads(_text(annotations["json"])) if "json" in annotations else None
            name = self.settings.label_field
            return _as_label(fields.get(name), name) if isinstance(fields, dict) else None
        except (ReadError, ValueError, RecursionError) as error:
            raise ReadError(f"its .{'cls' if 'cls' in annotations else 'json'}: {error}") from None


def _split_folder(name: str) -> str | None:
    """Return the word of the outermost folder that is named after a split."""
    return next((part for part in name.lower().split("/")[:-1] if part in SPLIT_WORDS), None)


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
            return label_text(value)
    raise ReadError(f"expected a word or a whole number in {where}, found {value!r:.60}")
