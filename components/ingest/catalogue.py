"""The table between the passes. It is on disk, because it grows with the images, and memory must not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import tables
from schemas.tables import BATCH

# What the first pass says of an image; what becomes part of the artifact has its schema in schemas/tables.py.
LISTED = pa.schema(
    [
        ("source", pa.int32()),
        ("place", pa.string()),  # where it is read again: in the source, or in what was unpacked
        ("unpacked", pa.string()),  # a file of the listing's folder, or null
        ("key", pa.string()),  # within all sources
        ("label", pa.string()),
        ("own_split", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
_COLUMNS = ", ".join(LISTED.names)


class Catalogue:
    """Every image that the first pass found usable, and what is decided about it.

    Its columns are those of LISTED, and `kept` (0 for a duplicate that is dropped), `split`, and `point`: where it
    stands in the order of its split.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        # Scratch work: made anew from the listing's files whenever it is needed, so nothing has to outlive a crash.
        self.database = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "locking_mode = EXCLUSIVE"):
            self.database.execute(f"PRAGMA {setting}")
        self.database.execute(
            f"CREATE TABLE images (id INTEGER PRIMARY KEY, {_COLUMNS}, kept INTEGER DEFAULT 1, split TEXT, point INTEGER)"
        )
        self.database.execute(f"CREATE TABLE rejected ({', '.join(tables.REJECTED.names)})")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    def add(self, path: Path) -> None:
        """Takes up a file of LISTED rows."""
        marks = ", ".join("?" * len(LISTED.names))
        self.database.execute("BEGIN")
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, columns=LISTED.names):
                rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                self.database.executemany(f"INSERT INTO images ({_COLUMNS}) VALUES ({marks})", rows)
        self.database.execute("COMMIT")

    def reject(self, path: Path) -> None:
        """Takes up a file of `schemas.tables.REJECTED` rows."""
        rows = pq.read_table(path).to_pylist()
        self.database.executemany("INSERT INTO rejected VALUES (:key, :reason, :detail)", rows)

    def rejected(self) -> Iterator[dict[str, Any]]:
        """Rows of `schemas.tables.REJECTED`, by key."""
        return self._rows("SELECT * FROM rejected ORDER BY key")

    def reasons(self) -> dict[str, int]:
        """How many images were rejected, by reason, from the most frequent on."""
        query = "SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY count(*) DESC, reason"
        return dict(self.database.execute(query).fetchall())

    def drop_duplicates(self) -> None:
        """Keeps one of the images with the same bytes: one of the sources' own test split, else the first by key."""
        self.database.execute("CREATE INDEX by_content ON images (sha256, own_split IS NOT 'test', key)")
        self.database.execute(
            "UPDATE images SET kept = id = (SELECT id FROM images AS other WHERE other.sha256 = images.sha256 "
            "ORDER BY own_split IS NOT 'test', key LIMIT 1)"
        )

    def duplicates(self) -> Iterator[dict[str, Any]]:
        """Rows of `schemas.tables.DUPLICATES`, by key."""
        return self._rows(
            "SELECT images.key, kept.key AS same_as, images.sha256 FROM images "
            "JOIN images AS kept ON kept.sha256 = images.sha256 AND kept.kept WHERE NOT images.kept ORDER BY images.key"
        )

    def decide(self, *, split: Callable[[str, str | None], str], point: Callable[[str], int]) -> None:
        """Gives every image that is kept its split and its place.

        Args:
            split: From the sha256 and the source's own split to the split.
            point: From the key to a whole number, by which the images of a split are ordered.
        """
        self.database.create_function("split_of", 2, split, deterministic=True)
        self.database.create_function("point_of", 1, point, deterministic=True)
        self.database.execute("UPDATE images SET split = split_of(sha256, own_split), point = point_of(key) WHERE kept")
        self.database.execute("CREATE INDEX by_point ON images (split, point, key)")

    def count(self, *, split: str | None = None) -> int:
        """How many images are kept, in a split or in all."""
        chosen = "kept" if split is None else "kept AND split = ?"
        return int(self._one(f"SELECT count(*) FROM images WHERE {chosen}", *([] if split is None else [split])))

    def labels(self) -> list[str]:
        """Every label that an image which is kept has."""
        found = self.database.execute("SELECT DISTINCT label FROM images WHERE kept AND label IS NOT NULL")
        return [label for (label,) in found]

    def of_split(self, split: str) -> Iterator[dict[str, Any]]:
        """Rows of a split's images, in their order."""
        return self._rows(f"SELECT {_COLUMNS} FROM images WHERE kept AND split = ? ORDER BY point, key", split)

    def _rows(self, query: str, *values: Any) -> Iterator[dict[str, Any]]:
        with closing(self.database.execute(query, values)) as cursor:
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def _one(self, query: str, *values: Any) -> Any:
        return self.database.execute(query, values).fetchone()[0]
