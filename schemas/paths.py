"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import UsageError


def user_path(text: str | Path) -> Path:
    """Return a path that a person has written, with `~` and `~name` replaced by that person's home.

    Raises:
        UsageError: There is no such person.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        home = Path(text).parts[0]
        raise UsageError(
            f"{text}: expected a path, found {home}, which is nobody's home; for a folder of that name write ./{home}"
        ) from None
