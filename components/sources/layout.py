"""Understands a layout: which folders are labels and which are splits, from the names of the images alone.

`recipe` writes settings from it, and `ingest` applies these settings with the same rules; both say where another reading
was plausible. A folder here is the tuple of its names from the source's root; the root itself is ().
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from components.sources.annotations import split_in
from components.sources.folder_names import (
    escaped,
    is_evaluation,
    series_of_splits,
    split_meant_by,
)
from components.sources.label_rule import ARCHIVE, LabelRule, as_label, plausible_rule

Folder = tuple[str, ...]

HELD_OUT = frozenset(("validation", "test"))


def folders_of(keys: Iterable[str]) -> Counter[Folder]:
    """Count the images in each folder."""
    return Counter(tuple(key.split("/")[:-1]) for key in keys)


@dataclass(frozen=True)
class Layout:
    """What the folders of a source's images mean.

    Attributes:
        folders: Number of images in each folder.
    """

    folders: Mapping[Folder, int]

    @cached_property
    def shared(self) -> int:
        """Number of leading folders that all images share, as in a zipped folder; images outside of any do not count."""
        level = _shared(self.folders)
        for place in range(level):
            [name] = self.names(place)
            if self.meant(name) in HELD_OUT and any(len(folder) <= place for folder in self.folders):
                return place  # `test` beside images that are in no folder
        return level

    @cached_property
    def leading(self) -> Folder:
        """The folders that all images share; see `shared`."""
        return next((folder[: self.shared] for folder in self.folders if len(folder) >= self.shared), ())

    def meant(self, name: str) -> str | None:
        """Return the split that a folder's name means, by itself or beside others that differ from it in this word alone."""
        return split_meant_by(name) or self._series.get(name)

    @cached_property
    def _series(self) -> dict[str, str]:
        """The splits that names say by the one word in which they differ, as `seg_train` and `seg_test` do."""
        series: dict[str, str] = {}
        for level in range(max(map(len, self.folders), default=0)):
            names = self.names(level)
            if not any(map(split_meant_by, names)):
                series |= series_of_splits(names)
        return series

    @cached_property
    def split_level(self) -> int | None:
        """Place in a folder's names of the one that names a split; None: none does."""
        depth = max(map(len, self.folders), default=0)
        for level in range(self.shared, depth):
            names = self.names(level)
            if all(map(self.meant, names)) and (len(names) > 1 or level == self.shared):
                return level
        return self.shared if self._some_name_splits() else None

    def _some_name_splits(self) -> bool:
        """Return whether some folders beside each other name splits, and others do not.

        `train` alone, beside `car` and `plane`, is a label.
        """
        names = self.names(self.shared)
        training = {name for name in names if self.meant(name) == "train"}
        deeper = any(len(folder) > self.shared + 1 and folder[self.shared] in training for folder in self.folders)
        held_out = any(self.meant(name) in HELD_OUT for name in names)
        return held_out or (bool(training) and (deeper or len(names) - len(training) < 2))

    @cached_property
    def split_folders(self) -> dict[str, str]:
        """The split of each folder that names one, if some images are held out and others are not."""
        names = sorted(self.names(self.split_level)) if self.split_level is not None else []
        splits = {name: split for name in names if (split := self.meant(name))}
        evaluations = list(filter(is_evaluation, splits))
        others = {split for name, split in splits.items() if name not in evaluations}
        if "test" in others and "validation" not in others:
            splits |= dict.fromkeys(evaluations, "validation")
        if "train" in splits.values():  # `test-several` beside `test` is for a test, too, and never for training
            splits |= {name: word for name in names if name not in splits and (word := split_in(name)) in HELD_OUT}
        loose = any(len(folder) <= (self.split_level or 0) for folder in self.folders)
        trained = "train" in splits.values() or len(splits) < len(names) or loose
        return splits if trained and HELD_OUT & set(splits.values()) else {}

    @property
    def splits_are_inside(self) -> bool:
        """Whether folders that name splits are within others, as in `cat/train`."""
        return self.split_level is not None and self.split_level > self.shared

    @cached_property
    def beside_splits(self) -> list[str]:
        """Folders beside those that name a split, such as `cat` and `dog` beside `test`, or `extra` beside `train`."""
        if not self.split_folders or self.split_level is None:
            return []
        return sorted(name for name in self.names(self.split_level) if name not in self.split_folders)

    def split(self, folder: Folder) -> str | None:
        """Return the split that a folder's images are in; None without splits."""
        if not self.split_folders or self.split_level is None:
            return None
        named_by = self.named_by(folder)
        if named_by is None:
            return "train"
        name = named_by[-1]
        return (self.split_folders.get(name) if len(named_by) == self.split_level + 1 else None) or self.meant(name)

    def named_by(self, folder: Folder) -> Folder | None:
        """Return a folder up to the name that says its split: at the level of splits, or below a folder beside these.

        Another copy of a data set, `chest_xray` beside `train` and `test`, holds `train` and `test` again. None: nothing says
        a split.
        """
        level = self.split_level or 0
        for place in range(level, len(folder) if self.split_folders else 0):
            if folder[place] in self.split_folders if place == level else self.trains and self.meant(folder[place]):
                return folder[: place + 1]
        return None

    def patterns(self, split: Literal["validation", "test"]) -> tuple[str, ...]:
        """Return the patterns for the setting `validation` or `test` of a recipe's source."""
        level = self.split_level
        if level is None:
            return ()
        start = "".join(f"{escaped(name)}/" for name in self.leading)
        ends = [f"{escaped(name)}/*" for name, its in self.split_folders.items() if its == split]
        if level == self.shared:
            inner = {named_by for folder in self.folders if len(named_by := self.named_by(folder) or ()) > level + 1}
            copies = sorted(f"{'/'.join(map(escaped, each))}/*" for each in inner if self.split(each) == split)
            return (*(f"{start}{end}" for end in ends), *copies)
        patterns = tuple(f"{start}*/{end}" for end in ends)
        if all((self.split(folder) == split) == _matches(folder, patterns) for folder in self.folders):
            return patterns
        # A folder of such a name is somewhere else, too, and `*` stands for any number of folders.
        parents = sorted({self.named_by(folder) or () for folder in self.folders if self.split(folder) == split})
        return tuple(f"{'/'.join(map(escaped, parent))}/*" for parent in parents)

    def label(self, folder: Folder, rule: LabelRule, *, use_splits: bool = True) -> str | None:
        """Return the label of a folder's images.

        Args:
            folder: The folder.
            rule: The setting `label`. The first and the last folder count among those that all images do not share and that
                name no split.
            use_splits: Whether the recipe takes the splits that folders name. If not, and only some folders beside each
                other name a split, these are labels like the others.
        """
        names = self._label_names(folder, use_splits=use_splits)
        if rule == "none" or not names:
            return None
        return as_label(names[0] if rule == "first_folder" else names[-1])

    def labels(self, rule: LabelRule, *, use_splits: bool = True) -> Counter[str]:
        """Count the images of each label."""
        counts: Counter[str] = Counter()
        for folder, count in self.folders.items():
            if (label := self.label(folder, rule, use_splits=use_splits)) is not None:
                counts[label] += count
        return counts

    @cached_property
    def rule(self) -> LabelRule:
        """The reading of labels that is most plausible: the setting `label`."""
        return self.reading[0]

    @cached_property
    def reading(self) -> tuple[LabelRule, list[str]]:
        """The rule for labels, and sentences about it; see `plausible_rule`."""
        return plausible_rule(self)

    def _label_names(self, folder: Folder, *, use_splits: bool) -> Folder:
        leading, trailing = self._inner_shared[use_splits]
        names = self._without_split(folder, use_splits=use_splits)[leading:]
        return names[: len(names) - trailing] if trailing else names

    @cached_property
    def _inner_shared(self) -> dict[bool, tuple[int, int]]:
        """Number of folders that all images share after the shared ones and the split's, as in `train/images/cat`.

        They are counted from the front and, of the others, from the end, by `use_splits`.
        """
        counts = {}
        for use_splits in (False, True):
            names = {self._without_split(folder, use_splits=use_splits) for folder in self.folders}
            leading = _shared(names)
            counts[use_splits] = (leading, _shared({folder[leading:][::-1] for folder in names}))
        return counts

    def _without_split(self, folder: Folder, *, use_splits: bool) -> Folder:
        level = self.split_level
        names = folder[self.shared :]
        if level is None or len(folder) <= level or not (use_splits or self._no_labels_beside):
            return names
        place = level - self.shared
        split = self.meant(folder[level])
        if not self.trains and not split:
            return names
        names = names[:place] + names[place + 1 :]
        if folder[: level + 2] in self._doubled:
            names = names[:place] + names[place + 1 :]
        while not split and len(names) > place and self.meant(names[place]):
            names = names[:place] + names[place + 1 :]  # `train` of another copy, `data/train`, beside `train`
        return names

    @cached_property
    def _doubled(self) -> set[Folder]:
        """The second folders of `test_set/test_set/cat`, which stand alone in the first."""
        level = self.split_level or 0
        seconds: dict[Folder, set[str]] = {}
        for folder in (folder for folder in self.folders if len(folder) > level):
            seconds.setdefault(folder[: level + 1], set()).add(folder[level + 1] if len(folder) > level + 1 else "")
        return {
            (*first, *names)
            for first, names in seconds.items()
            if len(names) == 1 and self._are_same(first[-1], *names)
        }

    def _are_same(self, name: str, inner: str) -> bool:
        """Return whether a folder within another is the same once more, as in `train_set/train_set` and `a.zip/a`."""
        name, inner = ARCHIVE.sub("", name), ARCHIVE.sub("", inner)
        return name.lower() == inner.lower() or self.meant(name) == self.meant(inner) is not None

    @property
    def trains(self) -> bool:
        """Whether a folder says that its images are for training, so that those beside it are no labels."""
        if self.split_level is None:
            return False
        return "train" in map(self.meant, self.names(self.split_level)) or self._one_beside

    @cached_property
    def _one_beside(self) -> bool:
        """Whether the only folder beside those that name a split is divided as they are, as `background` beside `evaluation`."""
        level, beside = self.split_level or 0, self.beside_splits
        depths: dict[bool, int] = {}
        for folder in (folder for folder in self.folders if len(folder) > level):
            depths[folder[level] in beside] = max(len(folder), depths.get(folder[level] in beside, 0))
        return len(beside) == 1 and depths.get(True) == depths.get(False, 0) > level + 1

    @cached_property
    def _no_labels_beside(self) -> bool:
        """Whether no folder at the level of splits can be a label."""
        return self.trains or (self.split_level is not None and all(map(self.meant, self.names(self.split_level))))

    def names(self, level: int) -> Counter[str]:
        """Count the images below each folder at a level."""
        names: Counter[str] = Counter()
        for folder, count in self.folders.items():
            if len(folder) > level:
                names[folder[level]] += count
        return names


def _shared(folders: Iterable[Folder]) -> int:
    """Return the number of leading names that are the same in all folders that have so many."""
    folders = list(folders)
    level = 0
    while len({folder[level] for folder in folders if len(folder) > level}) == 1:
        level += 1
    return level


def _matches(folder: Folder, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase("/".join((*folder, "x")), pattern) for pattern in patterns)
