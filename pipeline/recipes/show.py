"""Prints what a look at a source has found, as a small table."""

from __future__ import annotations

from collections.abc import Iterator

from components.reporting.console import console, counted
from pipeline.recipes.look import Look, span
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ImageFiles

LONGEST = 40  # characters of a label
NAMED = 8  # labels, endings and paths that a line names


def print_look(seen: Look, *, preprocess: PreprocessSettings, conditional: bool) -> None:
    """Print what a source holds and how it is understood.

    Args:
        seen: What was seen.
        preprocess: The recipe's settings.
        conditional: Whether the recipe's model uses labels.
    """
    for word, text in _lines(seen, preprocess, conditional=conditional):
        console.print(f"  {word:<11} {text}", markup=False)


def _lines(seen: Look, preprocess: PreprocessSettings, *, conditional: bool) -> Iterator[tuple[str, str]]:
    settings = seen.settings
    yield "source", f"{settings.kind} {getattr(settings, 'path', None) or ''}".rstrip()
    about, usable = "" if seen.exact else "about ", len(seen.sizes)
    yield (
        "images",
        f"{about}{seen.images:,} ({seen.opened:,} tried, {'all' if usable == seen.opened else f'{usable:,}'} usable)",
    )
    if seen.sizes:
        heights, widths = zip(*seen.sizes, strict=True)
        frame = preprocess.width, preprocess.height
        cut = any(width * frame[1] != height * frame[0] for height, width in seen.sizes)
        cut = cut and preprocess.geometry == "crop"
        yield (
            "size",
            f"{span(widths)} × {span(heights)} pixels, {'grey' if seen.grey else 'colour'}; the network gets "
            f"{frame[0]} × {frame[1]}{', cut at the edges' if cut else ''}",
        )
    yield "labels", _labels(seen)
    unlabelled = seen.images - sum(seen.labels.values()) if seen.exact and seen.labels else 0
    if unlabelled:
        yield "", f"{counted(unlabelled, 'image')} without a label"
    if len(seen.labels) > 1 and not conditional:
        yield "", "the model does not use them; with model.conditional=true, generate makes images by label"
    yield "splits", _splits(seen)
    if seen.beside:
        yield (
            "not images",
            ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in seen.beside.most_common()),
        )
    for reason, (count, detail) in seen.rejected.items():
        yield "not usable", f"{reason} {count:,} of {seen.opened:,} tried, the first {detail}"
    for reason, paths in seen.left_out.items():
        yield "left out", paths[0] + (f" and {len(paths) - 1:,} more" if len(paths) > 1 else "") + f": {reason}"
    for remark in seen.remarks:
        yield "note", remark


def _labels(seen: Look) -> str:
    if not seen.labels:
        return "none"
    settings, origin = seen.settings, ""
    if isinstance(settings, ImageFiles):
        origin = f", from {settings.table}" if settings.table else ", from folders"
    shown = sorted(seen.labels.items(), key=lambda pair: (-pair[1], pair[0]))
    names = [f"{name if len(name) <= LONGEST else f'{name[:LONGEST]}…'} ({count:,})" for name, count in shown[:NAMED]]
    more = f" and {len(shown) - NAMED:,} more" if len(shown) > NAMED else ""
    first = "" if seen.exact else " among the first images"
    return f"{len(shown):,}{origin}{first}: {', '.join(names)}{more}"


def _splits(seen: Look) -> str:
    if not seen.splits:
        return "none of its own; validation and test are taken from all images"
    splits = [split for split in ("train", "validation", "test") if seen.splits[split]]
    lacking = [split for split in ("validation", "test") if split not in splits]
    counts = ("" if seen.exact else "about ") + ", ".join(f"{seen.splits[split]:,} {split}" for split in splits)
    rest = f"; {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} taken from train" if lacking else ""
    return f"{counts}, the source's own{rest}"
