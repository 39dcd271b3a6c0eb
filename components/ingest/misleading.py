"""Sentences about what the sources say that would mislead training: see `components.ingest.findings`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from components.ingest.findings import Findings
from components.reporting.console import counted

NAMED = 3  # classes, or other things, that a sentence names before it counts the rest


def listed(items: Sequence[str]) -> str:
    """Return the first items, and how many more there are: `a, b and c`, `a, b, c and 2 more`."""
    named, rest = items[:NAMED], len(items) - NAMED
    if rest > 0:
        return f"{', '.join(named)} and {rest:,} more"
    return f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else "".join(named)


def two_labels(findings: Findings, *, dropped: bool) -> Iterator[str]:
    """Report images that stand under several labels."""
    if not findings.two_labels:
        return
    count = sum(findings.two_labels.values())
    names = [_and(labels) for labels in findings.two_labels]
    if len(names) > 1:
        numbers = findings.two_labels.values()
        names = [f"{name} ({number:,})" for name, number in zip(names, numbers, strict=True)]
    which = names[0] if len(names) == 1 else ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    how_many = "two" if all(len(labels) == 2 for labels in findings.two_labels) else "several"
    result = (
        "was kept once, under one of them: duplicates.parquet has both names"
        if dropped
        else "was kept under all of them: its rows in images.parquet have the same sha256"
    )
    stand = "stands" if count == 1 else "stand"
    yield f"{counted(count, 'image')} {stand} under {how_many} labels, {which}{more}; each {result}."


def vanished_class(findings: Findings) -> Iterator[str]:
    """Report classes of which no image is left."""
    if len(findings.vanished) == 1:
        [(label, (count, others))] = findings.vanished.items()
        under = listed(["no label" if other is None else f"`{other}`" for other in others])
        images = f"all of its {count:,} images have" if count > 1 else "its only image has"
        yield f"The class `{label}` is gone: {images} the same bytes as others under {under}, which were kept."
    elif findings.vanished:
        names = listed([f"`{label}` ({count:,})" for label, (count, _) in findings.vanished.items()])
        yield (
            f"{len(findings.vanished):,} classes are gone, because all of their images have the same bytes as others, which "
            f"were kept: {names}."
        )


def unlabelled(findings: Findings, *, images: int) -> Iterator[str]:
    """Report images without a label where others have one."""
    if findings.unlabelled:
        count, key = findings.unlabelled
        yield (
            f"{count:,} of {counted(images, 'image')} {'has' if count == 1 else 'have'} no label, where the others have one: "
            f"{'it is' if count == 1 else 'the first is'} {key}. A conditional model needs a label for every image."
        )


def own_splits(findings: Findings) -> Iterator[str]:
    """Report images that are not, or not only, where the source's own splits put them."""
    for (own_split, split), count in findings.moved.items():
        are, were = ("is a near-duplicate", "was") if count == 1 else ("are near-duplicates", "were")
        yield (
            f"{counted(count, 'image')} of the source's own {own_split} split {are} of images of its {split} split, and "
            f"{were} put there."
        )
    if count := findings.straddling:
        yield (
            f"{counted(count, 'image')} {'is' if count == 1 else 'are'} in two of the source's own splits or more, with the "
            "same bytes: what is measured on the others was partly trained on. preprocess.duplicates=drop keeps each once."
        )
    for split, count in findings.refilled.items():
        yield (
            f"The source has {split} images of its own, but none of them could be used: {counted(count, 'other image')} "
            f"became the {split} split."
        )


def modern(findings: Findings) -> Iterator[str]:
    """Report files of formats that are newer than most readers."""
    for detail, count in findings.modern.items():
        yield f"{counted(count, 'file')} could not be read, {'each ' if count > 1 else ''}{detail}."


def left_out(findings: Findings) -> Iterator[str]:
    """Report paths that were not looked at."""
    for reason, (count, first) in findings.left_out.items():
        named = f"{first}" if count == 1 else f"{count:,}, the first is {first}"
        yield f"Not looked at, {reason}: {named}."


def _and(labels: Sequence[str]) -> str:
    quoted = [f"`{label}`" for label in labels]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
