"""Decides which folders of a layout are labels, and says where another reading is plausible."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Literal, Protocol

from components.sources.folder_names import are_parts, are_pictures_and_masks, are_shards, named

LabelRule = Literal["none", "first_folder", "last_folder"]

ARCHIVE = re.compile(r"(?<=.)\.(zip|tgz|tbz2|txz|tar(\.\w+)?)$", re.IGNORECASE)  # several archives are folders, too
MANY_LABELS = 20  # with fewer images than twice as many, each folder seems to be one thing, not a class


class Folders(Protocol):
    """What the rule asks of a layout; see `components.sources.layout.Layout`."""

    @property
    def folders(self) -> Mapping[tuple[str, ...], int]:
        """Number of images in each folder."""

    @property
    def shared(self) -> int:
        """Number of leading folders that all images share."""

    @property
    def split_level(self) -> int | None:
        """Place in a folder's names of the one that names a split."""

    @property
    def split_folders(self) -> dict[str, str]:
        """The split of each folder that names one."""

    @property
    def splits_are_inside(self) -> bool:
        """Whether folders that name splits are within others."""

    def split(self, folder: tuple[str, ...]) -> str | None:
        """Return the split that a folder's images are in."""

    def names(self, level: int) -> Counter[str]:
        """Count the images below each folder at a level."""

    def label(self, folder: tuple[str, ...], rule: LabelRule) -> str | None:
        """Return the label of a folder's images."""

    def labels(self, rule: LabelRule) -> Counter[str]:
        """Count the images of each label."""


def as_label(name: str) -> str:
    """Return a folder's name as a label: composed (NFC), and without the ending of an archive."""
    return unicodedata.normalize("NFC", ARCHIVE.sub("", name))


def plausible_rule(layout: Folders) -> tuple[LabelRule, list[str]]:
    """Return the rule for labels that is most plausible, and sentences about it."""
    rules: tuple[LabelRule, LabelRule] = ("first_folder", "last_folder")
    first, last = (layout.labels(rule) for rule in rules)
    candidates = [rule for rule, labels in zip(rules, (first, last), strict=True) if len(labels) > 1]
    sentences = []
    for rule, labels in zip(rules, (first, last), strict=True):
        if rule not in candidates or (rule == "last_folder" and first == last):
            continue
        if reason := _why_no_labels(layout, rule, labels):
            candidates = [other for other in candidates if other != rule and first != last]
            sentences.append(
                f"The folders {named(labels)} are {reason}: not taken as labels. If they are, set sources.label={rule}."
            )
    if first == last or len(candidates) < 2:
        return (candidates[0] if candidates else "none"), sentences
    taken: LabelRule = "last_folder" if _first_are_parts(layout, first, last) else "first_folder"
    other = rules[1 - rules.index(taken)]
    labels, others = (first, last) if taken == "first_folder" else (last, first)
    sentences.append(
        f"Folders within folders: {named(labels)} are taken as labels. If {named(others)} are, set sources.label={other}"
        + ("; a name that stands in several of them is one label." if _recurs(layout, taken, other) else ".")
    )
    return taken, sentences


def _why_no_labels(layout: Folders, rule: LabelRule, labels: Counter[str]) -> str | None:
    """Return what folders are rather than classes; None: nothing speaks against them."""
    if are_pictures_and_masks(labels):
        return (
            "images and masks by their names, and all of them are trained on unless sources.leave_out names the masks"
        )
    if are_shards(labels):
        return "numbered and about equally full, as shards are"
    if are_parts(labels):
        return "parts of one download by their names"
    if _follow_splits(layout, rule):
        return "each of one split"
    if labels.total() < 2 * len(labels) and len(labels) > MANY_LABELS:
        return "almost as many as the images"
    return None


def _first_are_parts(layout: Folders, first: Collection[str], last: Collection[str]) -> bool:
    """Return whether the first folders are parts of the source rather than classes.

    They differ in numbers alone, as `part1` and `part2`, and the last ones do not; or folders that name splits are between
    them and the last ones; or they are archives in which the same last folders are.
    """
    numbered = len({re.sub(r"\d+", "", name) for name in first}) == 1
    if numbered and len({re.sub(r"\d+", "", name) for name in last}) > 1:
        return True
    if layout.split_folders and layout.splits_are_inside:
        return any(len(folder) > (layout.split_level or 0) + 1 for folder in layout.folders)
    names = layout.names(layout.shared)
    return all(map(ARCHIVE.search, names)) and _recurs(layout, "first_folder", "last_folder")


def _recurs(layout: Folders, rule: LabelRule, other: LabelRule) -> bool:
    """Return whether a label by the other rule stands under several labels by this one."""
    pairs = {(layout.label(folder, rule), layout.label(folder, other)) for folder in layout.folders}
    counts = Counter(label for outer, label in pairs if None not in (outer, label))
    return max(counts.values(), default=0) > 1


def _follow_splits(layout: Folders, rule: LabelRule) -> bool:
    """Return whether labels say no more than splits within them do, as `a` and `b` of `a/train` and `b/test`."""
    if not layout.split_folders or not layout.splits_are_inside:
        return False
    pairs = {(layout.label(folder, rule), layout.split(folder)) for folder in layout.folders}
    labels, splits = ({pair[place] for pair in pairs} for place in (0, 1))
    return len(pairs) == len(labels) <= len(splits)
