"""What else says labels or splits and is not used: lists of images in texts, arrays of MATLAB, the names of files."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from components.sources.annotations import SPLIT_WORDS
from components.sources.base import NamedFiles
from components.sources.endings import ending_of
from components.sources.folder_names import named

_LISTS = (".txt", ".lst", ".list")
_ARRAYS = {".mat": "MATLAB", ".pkl": "a pickle", ".pickle": "a pickle"}
MOST_LISTS = 20  # texts; where there are more, they are captions
_FIRST_LINES = 200
_MOST_BYTES = 1 << 16
_COLUMNS = 4  # words of a line, one of which may be an image's name
ENOUGH = 0.5  # of the lines that name an image
LEAST_HITS = 3
MOST_WORDS = 200  # beginnings of names that may be labels
LEAST_FILES = 3  # of each
_NO_LABELS = SPLIT_WORDS.keys() | frozenset({
    "", "img", "image", "images", "dsc", "dscn", "dscf", "pxl", "photo", "pic", "picture", "frame", "screenshot", "screen", "vid",
    "mvi", "gopr", "file", "scan", "wa", "sample", "p", "i", "im", "id",
})  # fmt: skip


def lists_beside(source: NamedFiles, images: Collection[str], beside: Collection[str]) -> list[str]:
    """Return a sentence on the texts that list images, and one on files that are likely to say something of them.

    Args:
        source: The source.
        images: Names of the images.
        beside: Names of the other files.
    """
    sentences = []
    texts = sorted(key for key in beside if ending_of(key) in _LISTS)
    if 0 < len(texts) <= MOST_LISTS and (lists := sorted(_lists(source, images, texts))):
        sentences.append(
            f"Not used: {named(lists)}, which {'lists' if len(lists) == 1 else 'list'} images. If the labels or the splits are "
            "there, write them as a table, .csv with the columns file_name, label and split."
        )
    for ending, what in _ARRAYS.items():
        keys = [key for key in beside if ending_of(key) == ending]
        if 0 < len(keys) <= MOST_LISTS:
            sentences.append(
                f"Not used: {named(keys)} ({what}), which cannot be read. If the labels or the splits are there, write them as a "
                "table, .csv with the columns file_name, label and split."
            )
    return sentences


def _lists(source: NamedFiles, images: Collection[str], texts: Collection[str]) -> Iterator[str]:
    """Yield the texts half of whose first lines name an image: `cat/1.jpg 0`, `1 cat/1.jpg`, `cat/1`."""
    stems = {_stem(key) for key in images}
    for key, start in source.starts(texts, size=_MOST_BYTES):
        lines = start.decode("utf-8", "replace").splitlines()[:_FIRST_LINES]
        lines = [line for line in lines if line.strip()]
        hits = sum(any(_stem(word) in stems for word in _words(line)) for line in lines)
        if hits >= max(LEAST_HITS, ENOUGH * len(lines)):
            yield key


def _words(line: str) -> list[str]:
    return [word for word in re.split(r"[\s,;|#]+", line.strip().replace("\\", "/")) if word][:_COLUMNS]


def _stem(key: str) -> str:
    last = posixpath.basename(key)
    stem, dot, ending = last.rpartition(".")
    return stem if dot and stem and len(ending) <= 4 else last


def _word_before_number(stem: str) -> str:
    """Return what a name has before the number at its end, `cat` of `cat (12)`; nothing without a number."""
    stem = stem.removesuffix(")")
    word = stem.rstrip("0123456789")
    return word.strip(" _.-(") if len(word) < len(stem) else ""


def labels_in_names(names: Iterable[str]) -> list[str]:
    """Return a sentence if nearly all names begin with one of some words, such as `cat.0.jpg` and `dog.0.jpg`."""
    counts: Counter[str] = Counter()
    for name in names:
        counts[_word_before_number(_stem(name))] += 1
        if len(counts) > MOST_WORDS:
            return []
    words = sorted(word for word, count in counts.items() if word.lower() not in _NO_LABELS and count >= LEAST_FILES)
    labelled = sum(counts[word] for word in words)
    if len(words) < 2 or labelled < 0.95 * counts.total():
        return []
    return [
        f"The names of the files begin with {named(words)}: not taken as labels. If they are, write them into a table beside the "
        "images, metadata.csv with the columns file_name and label."
    ]
