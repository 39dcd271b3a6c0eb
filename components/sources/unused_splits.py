"""Finds splits that folders name and a recipe does not use: one that was added later, or one within a part of the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from components.sources.base import own_split
from components.sources.folder_names import escaped, named, split_meant_by
from components.sources.layout import HELD_OUT, Folder, Layout
from schemas.recipe.sources import ImageFiles

_MOST_PATTERNS = 3  # folders that are named one by one, if a shorter pattern matches them alone


def unused_splits(layout: Layout, names: Callable[[], Iterable[str]], settings: ImageFiles) -> Iterator[str]:
    """Yield a sentence on the folders named for validation or test of which a recipe holds out no image.

    Args:
        layout: The layout of all images.
        names: Returns the names of all images.
        settings: The recipe's entry. Its patterns may be for some images of a folder alone.
    """
    held_out = _held_out(layout)
    images: Counter[Folder] = Counter()
    for name in names() if held_out else ():
        if folder := _of(tuple(name.split("/")[:-1]), held_out):
            images[folder] += 1
            if own_split(name, settings.test, settings.validation) in HELD_OUT:
                del held_out[folder]
    if not held_out or sum(images[folder] for folder in held_out) == sum(layout.folders.values()):
        return
    counts: Counter[str] = Counter()
    for folder, split in held_out.items():
        counts[split] += images[folder]
    patterns = [
        f"sources.{split}={[*getattr(settings, split), *_patterns(layout, held_out, split)]}".replace("'", '"')
        for split in ("validation", "test")
        if counts[split]
    ]
    held = " and ".join(f"{counts[split]:,} {split}" for split in ("validation", "test") if counts[split])
    one, single = len(held_out) == 1, counts.total() == 1
    used = settings.test or settings.validation
    yield (
        f"The folder{'' if one else 's'} {named('/'.join(folder) for folder in held_out)} "
        f"{'names a split' if one else 'name splits'}, which the recipe does not use: "
        f"{'its' if one else 'their'} {held} {'image is' if single else 'images are'} "
        f"{'taken like those for training' if used else 'divided among all splits'}; "
        f"{' and '.join(patterns)} would keep {'it' if single else 'them'} apart."
    )


def _held_out(layout: Layout) -> dict[Folder, str]:
    """Return the split of each folder that is named for validation or test, in whatever part of the source it is."""
    held_out: dict[Folder, str] = {}
    for folder in layout.folders:
        named_by, split = layout.named_by(folder), layout.split(folder)
        if named_by is None:
            places = range(layout.shared, len(folder))
            named_by = next((folder[: place + 1] for place in places if split_meant_by(folder[place], maybe=True)), ())
            split = split_meant_by(named_by[-1], maybe=True) if named_by else None
        if split in HELD_OUT:
            held_out[named_by] = split
    return held_out


def _of(folder: Folder, held_out: Mapping[Folder, str]) -> Folder | None:
    """Return the folder that names a split in which another is."""
    return next((folder[:level] for level in range(1, len(folder) + 1) if folder[:level] in held_out), None)


def _patterns(layout: Layout, held_out: Mapping[Folder, str], split: str) -> list[str]:
    folders = [folder for folder, its in held_out.items() if its == split]
    patterns = sorted(f"{'/'.join(map(escaped, folder))}/*" for folder in folders)
    if len(patterns) > _MOST_PATTERNS:
        short = sorted({f"*/{escaped(folder[-1])}/*" for folder in folders})
        if all(
            _matches(folder, short) == (held_out.get(_of(folder, held_out) or ()) == split) for folder in layout.folders
        ):
            return short
    return patterns


def _matches(folder: Folder, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase("/".join((*folder, "x")), pattern) for pattern in patterns)
