"""The table of all images between the passes; it is on disk, so that memory does not grow with the images."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.ingest.perceptual import groups
from components.sources.endings import ending_of
from schemas.artifacts import tables
from schemas.artifacts.records import SPLITS
from schemas.artifacts.tables import BATCH

# The first pass writes one such row per image. Tables of the artifact have their schemas in schemas/artifacts/tables.py.
LISTED = pa.schema(
    [
        ("source", pa.int32()),
        ("place", pa.string()),  # where it is read again: in the source, or in the unpacked file
        ("unpacked", pa.string()),  # the unpacked file in the listing's folder, or null
        ("key", pa.string()),  # within all sources
        ("label", pa.string()),
        ("own_split", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("perceptual", pa.int64()),  # `perceptual_hash`, with a sign; null without a search for near-duplicates
    ]
)
# Files that are no images, by ending and content; with a reason, files that were not looked at.
BESIDE = pa.schema([("key", pa.string()), ("reason", pa.string())])
_COLUMNS = ", ".join(LISTED.names)


class ListedRow(TypedDict):
    """A row of LISTED."""

    source: int
    place: str
    unpacked: str | None
    key: str
    label: str | None
    own_split: str | None
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    perceptual: int | None


class Catalogue:
    """All usable images of the first pass, with their splits and their order.

    Its columns are those of LISTED and six more. `kept` is 0 for a duplicate that is dropped. `leader`, `leader_split` and
    `leader_source` describe an image's group of near-duplicates, if it has one. `split` is the image's split, and `point`
    its place in the order of that split.

    Attributes:
        largest_group: Images in the largest group of near-duplicates; 1 without a search for them.
    """

    largest_group = 1

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        # The table is rebuilt from the listing's files in every run, so nothing has to survive a crash.
        self.database = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "locking_mode = EXCLUSIVE"):
            self.database.execute(f"PRAGMA {setting}")
        self.database.execute(
            f"CREATE TABLE images (id INTEGER PRIMARY KEY, {_COLUMNS}, kept INTEGER DEFAULT 1, leader TEXT, "
            "leader_split TEXT, leader_source INTEGER, split TEXT, point INTEGER)"
        )
        self.database.execute(f"CREATE TABLE rejected ({', '.join(tables.REJECTED.names)})")
        self.database.execute("CREATE TABLE beside (key, reason)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    def add(self, path: Path) -> None:
        """Add a file of LISTED rows."""
        marks = ", ".join("?" * len(LISTED.names))
        self.database.execute("BEGIN")
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, columns=LISTED.names):
                rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                self.database.executemany(f"INSERT INTO images ({_COLUMNS}) VALUES ({marks})", rows)
        self.database.execute("COMMIT")

    def reject(self, path: Path) -> None:
        """Add a file of `schemas.artifacts.tables.REJECTED` rows."""
        rows = pq.read_table(path).to_pylist()
        self.database.executemany("INSERT INTO rejected VALUES (:key, :reason, :detail)", rows)

    def add_beside(self, path: Path) -> None:
        """Add a file of BESIDE rows."""
        rows = pq.read_table(path).to_pylist()
        self.database.executemany("INSERT INTO beside VALUES (:key, :reason)", rows)

    def beside(self) -> dict[str, int]:
        """Return the number of files beside the images per ending, the most frequent first."""
        counts = Counter(
            ending_of(key) for (key,) in self.database.execute("SELECT key FROM beside WHERE reason IS NULL")
        )
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def left_out(self) -> dict[str, tuple[int, str]]:
        """Return the number of files that archives hold and that were not looked at, and the first, by reason."""
        query = "SELECT reason, count(*), min(key) FROM beside WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"
        return {reason: (count, key) for reason, count, key in self.database.execute(query)}

    def names(self, source: int, *, start: int) -> Iterator[str]:
        """Return the names of a source's images, which begin at character `start` of the keys."""
        with closing(self.database.execute("SELECT key FROM images WHERE source = ?", (source,))) as cursor:
            for (key,) in cursor:
                yield key[start:]

    def name(self, source: int, *, label: Callable[[str], str | None], split: Callable[[str], str | None]) -> None:
        """Give every image of a source the label and the own split that follow from its key."""
        self.database.create_function("label_of", 1, label, deterministic=True)
        self.database.create_function("own_split_of", 1, split, deterministic=True)
        self.database.execute(
            "UPDATE images SET label = label_of(key), own_split = own_split_of(key) WHERE source = ?", (source,)
        )

    def rejected(self) -> Iterator[dict[str, Any]]:
        """Return rows of `schemas.artifacts.tables.REJECTED`, by key."""
        return self._rows("SELECT * FROM rejected ORDER BY key")

    def reasons(self) -> dict[str, int]:
        """Return the number of rejected images per reason, the most frequent first."""
        query = "SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY count(*) DESC, reason"
        return dict(self.database.execute(query).fetchall())

    def drop_duplicates(self) -> None:
        """Keep one of the images with the same bytes.

        That is one of the sources' own test split, else of their own validation split, else the first by key.
        """
        order = "own_split IS NOT 'test', own_split IS NOT 'validation', key"
        self.database.execute(f"CREATE INDEX by_content ON images (sha256, {order})")
        self.database.execute(
            "UPDATE images SET kept = id = (SELECT id FROM images AS other WHERE other.sha256 = images.sha256 "
            f"ORDER BY {order} LIMIT 1)"
        )

    def duplicates(self) -> Iterator[dict[str, Any]]:
        """Return rows of `schemas.artifacts.tables.DUPLICATES_LABELLED`, by key."""
        return self._rows(
            "SELECT images.key, kept.key AS same_as, images.sha256, images.label, kept.label AS same_as_label FROM images "
            "JOIN images AS kept ON kept.sha256 = images.sha256 AND kept.kept "
            "WHERE NOT images.kept ORDER BY images.key, images.id"
        )

    def group_near_duplicates(self, distance: int) -> None:
        """Group images whose perceptual hashes differ in at most `distance` bits; a group is in one split.

        The smallest sha256 decides the split of a group. If a source's own splits name a split for some of its images,
        that is the group's, the test split before the others.
        """
        cursor = self.database.execute("SELECT id, perceptual FROM images WHERE kept ORDER BY key")
        rows = np.fromiter((number for row in cursor for number in row), np.int64).reshape(-1, 2)
        roots = groups(rows[:, 1].astype(np.uint64), distance=distance)
        self.largest_group = int(np.bincount(roots).max(initial=1))
        self.database.execute("CREATE TABLE grouped (id INTEGER PRIMARY KEY, root INTEGER)")
        self.database.execute("BEGIN")
        pairs = ((int(number), int(root)) for number, root in zip(rows[:, 0], roots, strict=True))
        self.database.executemany("INSERT INTO grouped VALUES (?, ?)", pairs)
        self.database.execute("COMMIT")
        self.database.execute(
            "CREATE TABLE leaders AS SELECT root, min(sha256) AS leader, min(source) AS source, "
            "max(CASE own_split WHEN 'test' THEN 3 WHEN 'validation' THEN 2 WHEN 'train' THEN 1 ELSE 0 END) AS rank "
            "FROM grouped JOIN images USING (id) GROUP BY root HAVING count(*) > 1"
        )
        self.database.execute("CREATE INDEX by_root ON leaders (root)")
        self.database.execute(
            "UPDATE images SET leader = leaders.leader, leader_source = leaders.source, "
            "leader_split = CASE rank WHEN 3 THEN 'test' WHEN 2 THEN 'validation' WHEN 1 THEN 'train' END "
            "FROM grouped JOIN leaders USING (root) WHERE grouped.id = images.id"
        )

    def own_splits(self) -> dict[int, set[str]]:
        """Return the splits that each source itself puts images in, by the source's number."""
        splits: dict[int, set[str]] = {}
        query = "SELECT DISTINCT source, own_split FROM images WHERE own_split IS NOT NULL"
        for source, split in self.database.execute(query):
            splits.setdefault(source, set()).add(split)
        return splits

    def assign(self, *, split: Callable[[str, str | None, int], str], point: Callable[[str], int]) -> None:
        """Give every image that is kept its split and its place.

        Args:
            split: Function from the sha256, the source's own split and the source's number to the split.
            point: Function from the key to an integer, by which the images of a split are ordered.
        """
        self.database.create_function("split_of", 3, split, deterministic=True)
        self.database.create_function("point_of", 1, point, deterministic=True)
        self.database.execute(
            "UPDATE images SET point = point_of(key), split = CASE WHEN leader IS NULL "
            "THEN split_of(sha256, own_split, source) ELSE split_of(leader, leader_split, leader_source) END WHERE kept"
        )
        self.database.execute("CREATE INDEX by_point ON images (split, point, key)")

    def units(self, split: str) -> dict[str, bool]:
        """Return what can only move to another split as a whole: the sha256 of an image, or of the leader of its group.

        Returns:
            For each, whether it may move: not if a source itself holds one of its images out.
        """
        rows = self.database.execute(
            "SELECT coalesce(leader, sha256), min(coalesce(leader_split, own_split, 'train') = 'train') FROM images "
            "WHERE kept AND split = ? GROUP BY 1",
            (split,),
        )
        return {unit: bool(movable) for unit, movable in rows}

    def move(self, units: Iterable[str], split: str) -> None:
        """Move units (see `units`) to a split."""
        self.database.execute("CREATE TEMP TABLE moved (unit TEXT PRIMARY KEY)")
        self.database.executemany("INSERT INTO moved VALUES (?)", [(unit,) for unit in units])
        self.database.execute(
            "UPDATE images SET split = ? WHERE kept AND coalesce(leader, sha256) IN (SELECT unit FROM moved)", (split,)
        )
        self.database.execute("DROP TABLE moved")

    def empty_splits(self) -> list[str]:
        """Return the splits that have no images."""
        query = "SELECT EXISTS (SELECT 1 FROM images WHERE split = ? AND kept)"
        return [split for split in SPLITS if not self._one(query, split)]

    def discard_rejected(self) -> None:
        """Forget the images that the second pass has rejected."""
        self.database.execute("DELETE FROM images WHERE key IN (SELECT key FROM rejected)")

    def count(self, *, split: str | None = None) -> int:
        """Return the number of images that are kept, in one split or in all."""
        condition = "kept" if split is None else "kept AND split = ?"
        return int(self._one(f"SELECT count(*) FROM images WHERE {condition}", *([] if split is None else [split])))

    def sizes(self, split: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return widths and heights of a split's images, before resizing: [n] each."""
        cursor = self.database.execute("SELECT width, height FROM images WHERE kept AND split = ?", (split,))
        pairs = np.fromiter((number for pair in cursor for number in pair), np.int32).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def dropped(self) -> int:
        """Return the number of images that were dropped because another one has the same bytes."""
        return int(self._one("SELECT count(*) FROM images WHERE NOT kept"))

    def distinct(self) -> int:
        """Return the number of different contents among the images that are kept."""
        return int(self._one("SELECT count(DISTINCT sha256) FROM images WHERE kept"))

    def labels(self) -> list[str]:
        """Return all labels of images that are kept."""
        cursor = self.database.execute("SELECT DISTINCT label FROM images WHERE kept AND label IS NOT NULL")
        return [label for (label,) in cursor]

    def of_split(self, split: str) -> Iterator[ListedRow]:
        """Return the rows of a split's images, in their order."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM images WHERE kept AND split = ? ORDER BY point, key", split)
        return cast(Iterator[ListedRow], rows)

    def _rows(self, query: str, *values: Any) -> Iterator[dict[str, Any]]:
        with closing(self.database.execute(query, values)) as cursor:
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def _one(self, query: str, *values: Any) -> Any:
        return self.database.execute(query, values).fetchone()[0]
