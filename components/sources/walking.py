"""Walks through folders of any depth: `os.walk` of Python 3.11 calls itself for each, and ends in an error below a thousand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator


def walk_folders(folder: str, *, closed: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each folder, and the names of the folders and of the files in it, from the top down, as `os.walk` does.

    Links to folders are among the folders, and are not followed.

    Args:
        folder: The folder to begin with.
        closed: Gets the error of a folder that cannot be entered.
    """
    pending = [folder]
    while pending:
        parent = pending.pop()
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(parent) as entries:
                for entry in entries:
                    (folders if _is_folder(entry) else names).append(entry.name)
        except OSError as error:
            closed(error)
            continue
        yield parent, folders, names  # whoever gets them may take folders out, or put them into another order
        paths = (os.path.join(parent, name) for name in reversed(folders))
        pending += (path for path in paths if not os.path.islink(path))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
