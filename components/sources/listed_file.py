"""An image file that a table names by its path, which may lead anywhere, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache

from components.sources import files
from components.sources.base import MissingError, ReadError
from components.sources.endings import is_image

_MOST_FOLDERS = 20  # beside a table, in which a file is looked for
_USUAL_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")  # of names that a table writes without one


def find_listed_file(table: str, name: str) -> str:
    """Return the path of the file that a table names.

    A name counts from the table's folder. If no file is there, it is looked for in the folders beside the table, and with the
    usual endings, because tables often name images without both: `10_left` for `train/10_left.jpeg`. Only a single match counts.

    Args:
        table: The table's path.
        name: The path as the table writes it.
    """
    if files.is_remote(name) or os.path.isabs(name):
        return name
    folder = os.path.dirname(table) or "."
    path = files.path_in(folder, name)
    if files.is_remote(path) or os.path.lexists(path):
        return path
    endings: Iterable[str] = ("",) if is_image(name) else ("", *_USUAL_ENDINGS)
    places = (files.path_in(each, f"{name}{ending}") for each in (folder, *_folders_in(folder)) for ending in endings)
    matches = [place for place in places if os.path.isfile(place)]
    return matches[0] if len(matches) == 1 else path


@lru_cache(maxsize=64)
def _folders_in(folder: str) -> tuple[str, ...]:
    """Return the folders in a folder; none if they are many."""
    try:
        with os.scandir(folder) as entries:
            folders = sorted(entry.path for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return ()
    return tuple(folders) if len(folders) <= _MOST_FOLDERS else ()


def read_listed_file(path: str, *, max_bytes: int) -> bytes:
    """Return a file's bytes, or one byte more than the limit allows if it is too large.

    Raises:
        MissingError: There is no such file.
        ReadError, OSError: It cannot be read.
    """
    if files.is_odd(path):
        raise ReadError("a folder, a pipe or a device")
    try:
        with files.open_file(path) as file:
            return file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(f"there is no file {path}") from None
    except files.NoFileSystemError as error:
        raise ReadError(str(error)) from None
