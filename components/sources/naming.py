"""Labels and own splits of image files by their names: a recipe's settings, applied to a layout."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from components.sources.base import own_split
from components.sources.folder_names import named
from components.sources.layout import Folder, Layout
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

    def spelling(self, name: str) -> str:
        """Return an image's name as the tables spell it; if they do not list it, as it is."""
        if name in self or name.isascii():
            return name
        return self._composed.get(unicodedata.normalize("NFC", name), name)


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

    def unused(self) -> list[str]:
        """Return a sentence for each thing that folders and tables say and that was not used, once all were asked for."""
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
        if self.layout.split_folders and not self._use_splits and not self._split_by_table():
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
