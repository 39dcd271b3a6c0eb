"""Prints what a look at a source has found, as a small table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from components.reporting.console import console, counted
from pipeline.recipes.look import Look

LONGEST = 40  # characters of a label
NAMED = 8  # labels, endings and paths that a line names


def print_look(seen: Look) -> None:
    """Print what a source holds and how it is understood."""
    for word, text in _lines(seen):
        console.print(f"  {word:<9} {text}", markup=False)


def _lines(seen: Look) -> Iterator[tuple[str, str]]:
    path = getattr(seen.settings, "path", None)
    yield "kind", f"{seen.settings.kind}{f', {path}' if path else ''}"
    about = "" if seen.exact else "about "
    yield "images", f"{about}{seen.images:,}; {seen.opened:,} opened, {len(seen.sizes):,} of them usable"
    if seen.sizes:
        heights, widths = zip(*seen.sizes, strict=True)
        colour = "grey" if seen.grey else "colour"
        yield "size", f"{_range(widths)} × {_range(heights)} pixels, {colour}"
    first = "" if seen.exact else " among the first images"
    yield "labels", f"{_counts(seen.labels)}{first}" if seen.labels else "none"
    unlabelled = seen.images - sum(seen.labels.values()) if seen.exact and seen.labels else 0
    if unlabelled:
        yield "", f"{counted(unlabelled, 'image')} without a label"
    if seen.splits:
        splits = {split: seen.splits[split] for split in ("train", "validation", "test") if seen.splits[split]}
        lacking = [split for split in ("validation", "test") if split not in splits]
        rest = f"; {' and '.join(lacking)} will be taken from train" if lacking else ""
        yield "splits", ", ".join(f"{count:,} {split}" for split, count in splits.items()) + f", the source's own{rest}"
    else:
        yield "splits", "none of its own; validation and test will be taken from all images"
    if seen.beside:
        yield (
            "beside",
            f"{_counts(Counter({ending or 'no ending': n for ending, n in seen.beside.items()}))}: no images",
        )
    for reason, (count, detail) in seen.rejected.items():
        yield "not used", f"{reason} {count:,} of {seen.opened:,} opened, the first {detail}"
    for reason, paths in seen.left_out.items():
        yield "left out", f"{reason}: {len(paths):,}, the first {paths[0]}"
    for remark in seen.remarks:
        yield "note", remark


def _range(lengths: Sequence[int]) -> str:
    least, most = min(lengths), max(lengths)
    return f"{least}" if least == most else f"{least}–{most}"


def _counts(counts: Counter[str]) -> str:
    named = [
        f"{name if len(name) <= LONGEST else f'{name[:LONGEST]}…'} {count:,}"
        for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    rest = len(named) - NAMED
    return ", ".join(named[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
