"""Which columns of a table say the splits of its images: told by their values, whatever their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.sources.annotations import SPLIT_WORDS, label_text, split_in
from components.sources.columns import SPLITS, named
from components.sources.folder_names import split_meant_by

_MOST_VALUES = 6  # different ones, of a column that may say splits in words of its own
_FLAGS = frozenset(("0", "1", "true", "false", "yes", "no", "y", "n", "t", "f"))


class SplitColumns:
    """What the values of columns say of splits, seen row by row.

    Args:
        names: The columns that may say splits.

    Attributes:
        others: The first value of a column that is no word for a split, by column.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.others: dict[str, str] = {}
        names = [name for name in names if name]
        self._words: dict[str, set[str]] = {name: set() for name in names}  # of columns with no other value
        self._resembling: dict[str, dict[str, None]] = {name: {} for name in names}  # values that seem to be splits
        self._flags = {name for name in names if split_meant_by(_flagged(name))}

    @property
    def undecided(self) -> list[str]:
        """The columns that may still say splits; for others, more rows change nothing."""
        return list(dict.fromkeys((*self._words, *self._resembling)))

    def see(self, row: Mapping[str, Any]) -> None:
        """Look at the next row: its values by column."""
        for name in self.undecided:
            self.see_value(name, row.get(name))

    def see_value(self, name: str, value: object) -> None:
        """Look at the next value of an undecided column."""
        try:
            text = label_text(value)
        except ValueError:  # a list
            self._words.pop(name, None)
            self._resembling.pop(name, None)
            return
        if text is None:
            return
        word = text.lower()
        if word not in SPLIT_WORDS:
            if self._words.pop(name, None) is not None:
                self.others[name] = word
        elif name in self._words:
            self._words[name].add(word)
        values = self._resembling.get(name)
        if values is not None and text not in values:
            values[text] = None
            if not (word in _FLAGS if name in self._flags else split_in(text)) or len(values) > _MOST_VALUES:
                del self._resembling[name]

    @property
    def dividing(self) -> list[str]:
        """The columns whose values all are words for splits, of training and of held-out images; the usual names first."""
        names = [name for name, words in self._words.items() if _divide(SPLIT_WORDS[word] for word in words)]
        usual = named(names, SPLITS)
        return [*usual, *(name for name in names if name not in usual)]

    def words(self, name: str) -> set[str]:
        """Return the words of a column that divides the images, in small letters."""
        return self._words[name]

    def remarks(self) -> list[str]:
        """Return a sentence on the first column that seems to say splits, in words that are none."""
        for name, values in self._resembling.items():
            divide = len(values) > 1 if name in self._flags else _divide(map(split_in, values))
            if divide and name not in self._words:
                return [
                    f"`{name}` may say splits ({', '.join(values):.100}), and was not taken as the split; write train, "
                    "validation or test there, and it is taken."
                ]
        return []


def remarks_on_choice(chosen: str, dividing: Iterable[str], *, none: str = "") -> list[str]:
    """Return a sentence on the column that was taken as the split, where another reading is plausible.

    Args:
        chosen: The column.
        dividing: All columns that could be it.
        none: How to say that no column is, if it was not taken by its name.
    """
    others = [name for name in dividing if name != chosen]
    usual = bool(named([chosen], SPLITS))
    if usual and not others:
        return []
    also = f", and {', '.join(f'`{name}`' for name in others):.100} not, though it could be, too" if others else ""
    return [f"`{chosen}` was taken as the split{also}{f'; {none}' if none else ''}."]


def _divide(splits: Iterable[str | None]) -> bool:
    splits = set(splits)
    return "train" in splits and len(splits) > 1


def _flagged(name: str) -> str:
    """Return what a column of true and false says: ``test`` for ``is_test`` and ``isTest``."""
    rest = name[2:].lstrip(" _-")
    return rest if name[:2].lower() in ("is", "in") and rest else name
