"""Rows of Parquet tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def table_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table, by column."""
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows
