"""Labels and own splits of image files by their names: a recipe's settings, applied to a layout."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from components.sources.base import own_split
from components.sources.endings import ending_of, is_image
from components.sources.file_splits import FileSplits
from components.sources.folder_names import named
from components.sources.layout import Folder, Layout
from components.sources.masks import find_masks, trained_on_masks
from components.sources.unused_splits import unused_splits
from schemas.recipe.sources import ImageFiles


class NamedBy(NamedTuple):
    """What a table beside the images says about one of them."""

    label: str | None
    split: str | None


class TableRows(dict[str, NamedBy]):
    """What tables beside the images say, by the image's name.

    Attributes:
        remarks: Sentences on how the tables were understood.
    """

    def __init__(
        self, rows: Mapping[str, NamedBy] | Iterable[tuple[str, NamedBy]] = (), remarks: Iterable[str] = ()
    ) -> None:
        super().__init__(rows)
        self.remarks = list(remarks)
        # macOS decomposes names of files, and tables are mostly written with composed ones.
        self._composed = {unicodedata.normalize("NFC", name): name for name in self if not name.isascii()}
        self._by_stem: dict[str, str] = {}

    def match(self, names: Iterable[str]) -> None:
        """Let names without folders or endings, `10_left`, stand for images, `train/10_left.jpeg`, if no name fits as it is.

        Args:
            names: Names of all images. If two of them have the same last part, it cannot be said which one is meant.
        """
        stems: dict[str, str] = {}
        for name in self:
            if stems.setdefault(_stem(name), name) != name:
                return
        images: Counter[str] = Counter()
        for name in names:
            if self.spelling(name) in self:
                return
            if (stem := _stem(name)) in stems:
                images[stem] += 1
        twice = next((stem for stem, count in images.items() if count > 1), None)
        if twice is None and images:
            self._by_stem = stems
            self.remarks.append(
                f"Names without their folders or endings, such as {stems[min(images)]:.80}, were found by their last parts."
            )

    def spelling(self, name: str) -> str:
        """Return an image's name as the tables spell it; if they do not list it, as it is."""
        if name in self:
            return name
        if not name.isascii() and (composed := self._composed.get(unicodedata.normalize("NFC", name))):
            return composed
        return self._by_stem.get(_stem(name), name)


def _stem(name: str) -> str:
    """Return the last part of a name without an image's ending, composed."""
    last = name.rpartition("/")[2]
    return unicodedata.normalize("NFC", last[: len(last) - len(ending_of(last))] if is_image(last) else last)


class Naming:
    """The label and the own split of every image file of a source.

    Args:
        settings: The recipe's entry.
        folders: Number of images in each folder.
        table: What tables beside the images say, by the image's name; None without `settings.table`.
    """

    def __init__(
        self, settings: ImageFiles, folders: Mapping[Folder, int], table: Mapping[str, NamedBy] | None = None
    ) -> None:
        self.settings = settings
        self.layout = Layout(folders)
        self.table = TableRows(table) if table is not None and not isinstance(table, TableRows) else table
        self._listed: set[str] = set()
        self._elsewhere: set[str] = set()  # images that the table puts in another split than the patterns
        self._use_splits = bool(settings.validation or settings.test)
        self._labels = {
            folder: self.layout.label(folder, settings.label, use_splits=self._use_splits) for folder in folders
        }

    def label(self, name: str) -> str | None:
        """Return the label of an image."""
        if self.table is not None:
            name = self.table.spelling(name)
            row = self.table.get(name)
            if row is None:
                return None
            self._listed.add(name)
            return row.label
        return self._labels.get(tuple(name.split("/")[:-1]))

    def split(self, name: str) -> str | None:
        """Return the split that the source itself puts an image in: a table's before that of patterns."""
        own = own_split(name, self.settings.test, self.settings.validation)
        row = self.table.get(self.table.spelling(name)) if self.table is not None else None
        if row is None or row.split is None:
            return own
        if own not in (None, row.split):
            self._elsewhere.add(name)
        return row.split

    def unused(self, names: Callable[[], Iterable[str]]) -> list[str]:
        """Return a sentence for each thing that names and tables say and that was not used, once all labels were asked for.

        Args:
            names: Returns the names of all images.
        """
        sentences = list(self.table.remarks) if self.table is not None else []
        if self._elsewhere:
            sentences.append(
                f"{self.settings.table} puts {len(self._elsewhere):,} images in another split than the patterns of "
                f"`validation` and `test` do, the first {min(self._elsewhere):.80}; its splits count."
            )
        missing = sorted(set(self.table or ()) - self._listed)
        if missing:
            sentences.append(
                f"{self.settings.table} names {len(missing):,} {'image' if len(missing) == 1 else 'images'} that cannot be used "
                f"or are not there, the first {missing[0]}."
            )
        sentences += trained_on_masks(find_masks(names, self.layout.folders))
        if self._split_by_table():
            return sentences
        if self._use_splits or not self.layout.split_folders:
            unused = list(unused_splits(self.layout, names, self.settings))
            if not unused and not self.layout.split_folders:
                unused = FileSplits.of(names()).unused(self.settings, names())
            return sentences + unused
        patterns = [
            f"sources.{split}={list(self.layout.patterns(split))}".replace("'", '"')
            for split in ("validation", "test")
            if self.layout.patterns(split)
        ]
        counts: Counter[str] = Counter()
        for folder, count in self.layout.folders.items():
            counts[self.layout.split(folder) or "train"] += count
        held_out = " and ".join(f"{counts[split]:,} {split}" for split in ("validation", "test") if counts[split])
        sentences.append(
            f"The folders {named(self.layout.split_folders)} name splits, which the recipe does not use: its "
            f"{held_out} images are divided among all splits; {' and '.join(patterns)} would keep them apart."
        )
        return sentences

    def _split_by_table(self) -> bool:
        return self.table is not None and any(row.split for row in self.table.values())
