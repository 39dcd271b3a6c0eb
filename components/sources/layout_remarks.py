"""Sentences on how a layout was understood, where another reading is plausible."""

from __future__ import annotations

from collections.abc import Iterator

from components.sources.annotations import split_in
from components.sources.folder_names import escaped, is_evaluation, named, split_meant_by
from components.sources.label_rule import as_label
from components.sources.layout import HELD_OUT, Layout


def remarks_on(layout: Layout) -> Iterator[str]:
    """Yield a sentence for each reading that has a plausible alternative, with the setting for that."""
    yield from layout.reading[1]
    level = layout.split_level
    if level is not None and not layout.split_folders and len(layout.names(level)) > 1:
        yield from _not_divided(layout, level)
    elif level is None and (training := _training_labels(layout)):
        yield f"{named(training)} is taken as a label, as no folder beside it is named for validation or test."
    yield from _beside_splits(layout)
    yield from _several_of_a_split(layout)
    yield from _labels_with_a_word(layout)
    for name in filter(is_evaluation, layout.split_folders):
        split = layout.split_folders[name]
        other = "validation" if split == "test" else "test"
        yield f"{name} is taken as the {split} split. If it is for {other}, write its pattern into sources.{other}."


def _not_divided(layout: Layout, level: int) -> Iterator[str]:
    """Yield why folders of which some name a split do not divide the images."""
    names = layout.names(level)
    if held_out := sorted(name for name in names if layout.meant(name) in HELD_OUT):
        last = held_out[-1]
        yield (
            f"The folders {named(held_out)} name splits, but do not divide the images, as none beside them is for training: all "
            f'images are divided among all splits; sources.{layout.meant(last)}=["{_start(layout, level)}{escaped(last)}/*"] '
            f"would keep {last} apart."
        )
        return
    training = [name for name in names if layout.meant(name)]
    others = sorted(name for name in names if not layout.meant(name))
    if any(split_meant_by(name, maybe=True) for name in others):
        return  # such as `holdout`; `unused_splits` says it
    is_named, it = ("is named", "it") if len(training) == 1 else ("are named", "them")
    other = (
        f' If {others[0]} is for a test, sources.test=["{_start(layout, level)}{escaped(others[0])}/*"] keeps it apart.'
        if others
        else ""
    )
    yield (
        f"{named(training)} {is_named} for training, and no folder beside {it} for validation or test: all images are divided "
        f"among all splits.{other}"
    )


def _start(layout: Layout, level: int) -> str:
    """Return how a pattern for a folder at a level begins."""
    return "*/" if level > layout.shared else "".join(f"{escaped(name)}/" for name in layout.leading)


def _beside_splits(layout: Layout) -> Iterator[str]:
    """Yield sentences about folders beside those that name a split."""
    splits = named(layout.split_folders)
    if layout.beside_splits and layout.trains:
        level = layout.split_level or 0
        copies = {folder[level] for folder in layout.folders if len(layout.named_by(folder) or ()) > level + 1}
        if others := set(layout.beside_splits) - copies:
            yield f"The images of {named(others)}, beside {splits}, are taken for training."
        if copies:
            yield f"Folders in {named(copies)}, beside {splits}, name splits again: they are taken as such."
    elif layout.beside_splits:
        yield (
            f"{splits} beside {named(layout.beside_splits)}: taken as a split of the source, not as a label. If it is a "
            "label, remove sources.test and sources.validation."
        )


def _several_of_a_split(layout: Layout) -> Iterator[str]:
    by_split: dict[str, list[str]] = {}
    for name, split in layout.split_folders.items():
        by_split.setdefault(split, []).append(name)
    for split, names in by_split.items():
        if len(names) > 1:
            yield f"The folders {named(names)} are all taken as the {split} split, and not as labels."


def _training_labels(layout: Layout) -> list[str]:
    return sorted(name for name in layout.names(layout.shared) if layout.meant(name)) if layout.rule != "none" else []


def _labels_with_a_word(layout: Layout) -> Iterator[str]:
    """Yield a sentence about labels that hold a split's word and something else."""
    if layout.rule == "none":
        return
    labels = [label for label in layout.labels(layout.rule) if split_in(label)]
    held_out = sorted(label for label in labels if split_in(label) in HELD_OUT)
    if layout.split_folders or not held_out:
        if len(labels) > 1:
            yield f"The labels {named(labels)} hold a split's word. If they are splits, write patterns into sources.test."
        return
    first, split = held_out[0], split_in(held_out[0])
    folder = next(each for each in sorted(layout.folders) if layout.label(each, layout.rule) == first)
    place = next(place for place, name in enumerate(folder) if as_label(name) == first)
    pattern = "".join(f"{escaped(name)}/" for name in folder[: place + 1]) + "*"
    they, hold = ("it is a split", "holds") if len(labels) == 1 else ("they are splits", "hold")
    yield (
        f"The label{'' if len(labels) == 1 else 's'} {named(labels)} {hold} a split's word. If {they}, write patterns into "
        f'sources.test or sources.validation: sources.{split}=["{pattern}"] keeps {first} apart.'
    )
