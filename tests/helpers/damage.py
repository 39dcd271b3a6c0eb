"""Files that are cut off or have a wrong byte, and what must become of them. No test is here."""

from __future__ import annotations

from collections.abc import Callable

from helpers.read_through import read_all
from hypothesis import strategies as st

from components.sources import Source
from schemas.errors import DataError, UsageError


def damaged(data: st.DataObject, whole: bytes, *, within: int | None = None) -> bytes:
    """Return a file that is cut off, or has one byte changed: anywhere, or among its first bytes."""
    if data.draw(st.booleans()):
        return whole[: data.draw(st.integers(0, len(whole) - 1))]
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, min(within or len(whole), len(whole) - 1)))] ^= data.draw(st.integers(1, 255))
    return bytes(changed)


def read_or_refused(open_it: Callable[[], Source]) -> None:
    """Read a source through; where it is refused, one line says what was expected."""
    try:
        read_all(open_it())
    except (DataError, UsageError) as error:
        assert "expected" in str(error)
        assert "\n" not in str(error)
