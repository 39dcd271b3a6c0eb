"""Paths as people write them, and what is there."""

from __future__ import annotations

import stat
from pathlib import Path

from schemas.errors import UsageError

_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


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


def found_at(path: Path) -> str:
    """Return what is at a path, for an error: `a file`, `a folder`, `a pipe`, …, or `no such file`."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "a special file")
    except OSError:
        return "a link that leads nowhere" if path.is_symlink() else "no such file"
