"""Own splits that the names of shards say, `train-0000.parquet`; shards of other names beside these are for training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from components.sources.annotations import Name, splits_by_word
from components.sources.folder_names import named


def splits_of_shards(words: Mapping[Name, str | None]) -> dict[Name, str | None]:
    """Return the split of each shard, if the words in their names divide them; else None for every shard.

    A shard without such a word, `unsupervised-0000.parquet` beside those of `train` and `test`, is for training, as a folder
    is: divided anew, its images would also be among the source's own test images.

    Args:
        words: The split word in each shard's name, or in a folder's.
    """
    return others_for_training(splits_by_word(words))


def others_for_training(splits: Mapping[Name, str | None]) -> dict[Name, str | None]:
    """Return splits with `train` for those that are None, if others are not."""
    return {name: split or "train" for name, split in splits.items()} if any(splits.values()) else dict(splits)


def remark_on_others(words: Mapping[str, str | None], splits: Mapping[str, str | None], *, other: str) -> list[str]:
    """Return a sentence on shards that were taken for training because their names say no split.

    Args:
        words: See `splits_of_shards`.
        splits: What it returned.
        other: How to say the other reading.
    """
    others = [name for name, word in words.items() if not word and splits.get(name)]
    return [remark_on_names(others, beside=filter(None, words.values()), other=other)] if others else []


def remark_on_names(others: Iterable[str], *, beside: Iterable[str], other: str) -> str:
    """Return the sentence of `remark_on_others`.

    Args:
        others: Names of what was taken for training.
        beside: The words that the others' names hold.
        other: How to say the other reading.
    """
    words = ", ".join(f"`{word}`" for word in sorted(set(beside)))
    return f"The images of {named(others)}, beside {words}, are taken for training; {other}."
