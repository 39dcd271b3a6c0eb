"""A Parquet file, read page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.sources import files
from components.sources.git_lfs import POINTER, is_pointer_at
from schemas.errors import DataError

if TYPE_CHECKING:  # imported below where it is needed, because commands like status open sources too
    import pyarrow as pa
    import pyarrow.parquet as pq

_BUFFER = 1 << 20


@contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Open a file with a buffer size: without one, pyarrow reads a column's whole row group at once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            files.open_file(path) as raw,
            pq.ParquetFile(raw, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True) as file,
        ):
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        what = POINTER if is_pointer_at(path) else f"something else ({reason[:200]})"
        raise DataError(f"{path}: expected a whole Parquet file, found {what}") from None


def schema_of(path: str) -> pa.Schema:
    """Return the schema of a file.

    Raises:
        DataError: It is no Parquet file, or a broken one.
    """
    with open_parquet(path) as file:
        return file.schema_arrow
