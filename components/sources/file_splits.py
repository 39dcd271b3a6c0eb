"""Own splits that the names of files say, where folders say none: `train_0001.png` and `test_0001.png`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from components.sources.annotations import SPLIT_WORDS, splits_of_words
from components.sources.base import own_split
from components.sources.folder_names import escaped
from schemas.recipe.sources import ImageFiles

_WORDS = "|".join(sorted(SPLIT_WORDS, key=len, reverse=True))
_START = re.compile(rf"({_WORDS})([ _.(-]|(?=\d))", re.IGNORECASE)
_END = re.compile(rf".*[ _.-]({_WORDS})", re.IGNORECASE)
_MIDDLE = re.compile(rf".*?[ _.-]({_WORDS})([ _.(-]|(?=\d)).+", re.IGNORECASE)  # `cat_test_0`, `img_train001`
NEARLY_ALL = 0.95  # of the names: if so many say a split, the others are for training
MANY = 0.5  # of the names: if so many say a split, it is worth a sentence

_SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")


@dataclass
class FileSplits:
    """What the names of files say about splits.

    Attributes:
        names: Number of names.
        words: Number of names by split, and by the pattern that matches them.
        between: Whether these words stand between others.
    """

    names: int = 0
    words: dict[str, Counter[str]] = field(default_factory=dict)
    between: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> FileSplits:
        """Look at all names, once: those that begin with a split's word, that end with one, and that have one between others."""
        starts, ends, middles = cls(), cls(), cls(between=True)
        for name in names:
            _, slash, last = name.rpartition("/")
            for each in (starts, ends, middles):
                each.names += 1
            if match := _START.match(last):
                sign = escaped(match[2]) or "[0-9]"
                starts._count(match[1], f"{'*/' if slash else ''}{match[1]}{sign}*")
            stem, ending = os.path.splitext(last)
            if match := _END.fullmatch(stem):
                ends._count(match[1], f"*{stem[match.start(1) - 1]}{match[1]}{escaped(ending)}")
            if match := _MIDDLE.fullmatch(stem):
                middles._count(match[1], f"*{stem[match.start(1) - 1]}{match[1]}{escaped(match[2]) or '[0-9]'}*")
        return max((starts, ends, middles), key=lambda each: each._said)

    def _count(self, word: str, pattern: str) -> None:
        self.words.setdefault(word.lower(), Counter())[pattern] += 1

    @property
    def _said(self) -> int:
        return sum(sum(patterns.values()) for patterns in self.words.values())

    @property
    def divide(self) -> bool:
        """Whether nearly all names say a split, and some are held out and others are not.

        Between other words, as in `stress_test_1.png`, one that says training has to be among them.
        """
        some = self._some_are_held_out and (not self.between or "train" in self._splits.values())
        return some and self._said >= NEARLY_ALL * self.names

    @property
    def may_divide(self) -> bool:
        """Whether many names say a split, and some are held out and others are for training."""
        return self._some_are_held_out and self._said >= MANY * self.names and "train" in self._splits.values()

    @property
    def _splits(self) -> dict[str, str]:
        """The split that each word stands for; see `annotations.splits_of_words`."""
        return splits_of_words(self.words)

    @property
    def _some_are_held_out(self) -> bool:
        held_out = self.count("validation") + self.count("test")
        return 0 < held_out < self.names

    def count(self, split: str) -> int:
        """Return the number of names that say a split."""
        return sum(sum(self.words[word].values()) for word, its in self._splits.items() if its == split)

    def patterns(self, split: Literal["validation", "test"]) -> tuple[str, ...]:
        """Return the patterns for the setting `validation` or `test` of a recipe's source."""
        return tuple(
            sorted({pattern for word, its in self._splits.items() if its == split for pattern in self.words[word]})
        )

    def agree(self, names: Iterable[str]) -> bool:
        """Return whether the patterns match just the names that they were made from."""
        splits = Counter(own_split(name, self.patterns("test"), self.patterns("validation")) for name in names)
        return all(splits[split] == self.count(split) for split in ("validation", "test"))

    def taken(self) -> str:
        """Return a sentence that says that the names were taken as splits."""
        rest = self.names - self._said
        others = f" {rest:,} {'other is' if rest == 1 else 'others are'} taken for training." if rest else ""
        return (
            f"The names of the files say {self._words()}: taken as splits of the source, by patterns.{others} If they are none, "
            "remove sources.validation and sources.test."
        )

    def unused(self, chosen: ImageFiles, names: Iterable[str]) -> list[str]:
        """Return a sentence that says that a recipe does not use what the names say, with the settings that would; or none.

        Args:
            chosen: The recipe's entry.
            names: The same names once more.
        """
        unused = {split: own for split in _SPLITS if (own := self.patterns(split)) and not getattr(chosen, split)}
        if not unused or not (self.divide or self.may_divide):
            return []
        used = bool(chosen.validation or chosen.test)
        for name in names if used else ():
            split = own_split(name, self.patterns("test"), self.patterns("validation"))
            if split in unused and own_split(name, chosen.test, chosen.validation) != "train":
                unused.pop(split)
        if not unused:
            return []
        settings = [f"sources.{split}={list(patterns)}".replace("'", '"') for split, patterns in unused.items()]
        held_out = " and ".join(f"{self.count(split):,} {split}" for split in unused)
        some = "the" if self._said == self.names else f"{self._said:,} of {self.names:,}"
        become = "taken like those for training" if used else "divided among all splits"
        return [
            f"The names of {some} files say {self._words()}, which the recipe does not use: its {held_out} images are "
            f"{become}; {' and '.join(settings)} would keep them apart."
        ]

    def _words(self) -> str:
        return ", ".join(f"`{word}`" for word in sorted(self.words))
