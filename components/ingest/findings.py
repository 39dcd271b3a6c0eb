"""What the sources say that would mislead training: contradicting labels, missing labels, images not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from components.ingest.catalogue import Catalogue

# Formats whose name the detail of a rejected file says, and what to do about them.
MODERN = ("HEIC", "AVIF", "JPEG XL", "a camera raw file", "a Git LFS pointer")


@dataclass(frozen=True)
class Listing:
    """What is known of the sources beside their images.

    Attributes:
        remarks: Sentences on how the sources were understood, where another reading is plausible.
        unused: Sentences about what the names say and the recipe does not use, such as splits.
        left_out: Paths that were not followed, by reason: their number, and the first one.
    """

    remarks: list[str]
    unused: list[str]
    left_out: dict[str, tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the sources say that would mislead training. Nothing, by default.

    Attributes:
        distinct: Number of different images, by their bytes, among those that are kept.
        two_labels: Number of different images (by their bytes) that stand under more than one label, by these labels.
        vanished: Labels of which no image is left, because others of the same bytes were kept: the number of their images,
            and the labels that these were kept under (None: no label).
        unlabelled: Number of images without a label, and the first one's key; None if there are none, or no labels at all.
        moved: Near-duplicates that are not in the split that the source puts them in, by that split and their own.
        straddling: Number of different images that the source itself puts in several splits, and that are all kept there.
        refilled: Number of images that were moved into a split of the source's own of which no image could be used.
        modern: Rejected files of formats that are newer than most readers, by their detail, which says what to do.
        unused: Sentences about what the names say and the recipe does not use, such as splits.
        left_out: Paths that were not looked at, by reason: their number, and the first one.
    """

    distinct: int = 0
    two_labels: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    vanished: Mapping[str, tuple[int, tuple[str | None, ...]]] = field(default_factory=dict)
    unlabelled: tuple[int, str] | None = None
    moved: Mapping[tuple[str, str], int] = field(default_factory=dict)
    straddling: int = 0
    refilled: Mapping[str, int] = field(default_factory=dict)
    modern: Mapping[str, int] = field(default_factory=dict)
    unused: Sequence[str] = ()
    left_out: Mapping[str, tuple[int, str]] = field(default_factory=dict)


def findings_of(catalogue: Catalogue, listing: Listing, *, refilled: Mapping[str, int]) -> Findings:
    """Look for what would mislead training.

    Args:
        catalogue: All images, with their splits.
        listing: What is known of the sources beside their images.
        refilled: See `Findings`.
    """
    distinct = catalogue.distinct()
    repeated = distinct < catalogue.count()
    return Findings(
        distinct=distinct,
        two_labels=_two_labels(catalogue) if repeated or catalogue.dropped() else {},
        vanished=_vanished(catalogue) if catalogue.dropped() else {},
        unlabelled=_unlabelled(catalogue),
        moved=_moved(catalogue) if catalogue.largest_group > 1 else {},
        straddling=_straddling(catalogue) if repeated else 0,
        refilled=refilled,
        modern=modern_files(catalogue),
        unused=listing.unused,
        left_out=listing.left_out,
    )


def _two_labels(catalogue: Catalogue) -> dict[tuple[str, ...], int]:
    if catalogue.dropped():  # with an index
        repeated = "SELECT sha256 FROM images WHERE NOT kept"
    else:
        repeated = "SELECT sha256 FROM images WHERE label IS NOT NULL GROUP BY sha256 HAVING min(label) <> max(label)"
    rows = catalogue.database.execute(
        f"SELECT DISTINCT sha256, label FROM images WHERE label IS NOT NULL AND sha256 IN ({repeated}) "
        "ORDER BY sha256, label"
    )
    counts: Counter[tuple[str, ...]] = Counter()
    for _, pairs in groupby(rows, key=itemgetter(0)):
        labels = tuple(label for _, label in pairs)
        if len(labels) > 1:
            counts[labels] += 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _vanished(catalogue: Catalogue) -> dict[str, tuple[int, tuple[str | None, ...]]]:
    rows = catalogue.database.execute(
        "SELECT images.label, kept.label, count(*) FROM images "
        "JOIN images AS kept ON kept.sha256 = images.sha256 AND kept.kept "
        "WHERE images.label IN (SELECT label FROM images WHERE label IS NOT NULL GROUP BY label HAVING NOT max(kept)) "
        "GROUP BY images.label, kept.label ORDER BY images.label, count(*) DESC, kept.label"
    )
    vanished = {}
    for label, group in groupby(rows, key=itemgetter(0)):
        others = list(group)
        vanished[label] = (sum(count for _, _, count in others), tuple(other for _, other, _ in others))
    return vanished


def _unlabelled(catalogue: Catalogue) -> tuple[int, str] | None:
    count, first, others = catalogue.database.execute(
        "SELECT count(*) FILTER (WHERE label IS NULL), min(key) FILTER (WHERE label IS NULL), count(label) "
        "FROM images WHERE kept"
    ).fetchone()
    return (count, first) if count and others else None


def _moved(catalogue: Catalogue) -> dict[tuple[str, str], int]:
    rows = catalogue.database.execute(
        "SELECT own_split, split, count(*) FROM images "
        "WHERE kept AND leader IS NOT NULL AND own_split IS NOT NULL AND own_split <> leader_split "
        "GROUP BY own_split, split ORDER BY own_split, split"
    )
    return {(own_split, split): count for own_split, split, count in rows if own_split != split}


def _straddling(catalogue: Catalogue) -> int:
    query = "SELECT 1 FROM images WHERE kept GROUP BY sha256 HAVING min(split) <> max(split)"
    return int(catalogue.database.execute(f"SELECT count(*) FROM ({query})").fetchone()[0])


def modern_files(catalogue: Catalogue) -> dict[str, int]:
    """Count the rejected files of formats that are newer than most readers, by their detail, the most frequent first."""
    condition = " OR ".join(f"detail LIKE '%{name}%'" for name in MODERN)
    rows = catalogue.database.execute(
        "SELECT detail, count(*) FROM rejected WHERE reason IN ('unsupported', 'unknown_format') "
        f"AND ({condition}) AND detail NOT LIKE 'not one of %' GROUP BY detail ORDER BY count(*) DESC, detail"
    )
    return dict(rows.fetchall())
