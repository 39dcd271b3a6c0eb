"""The image files that a table names by their paths, which may lead anywhere, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache

from components.sources import files
from components.sources.annotations import split_in
from components.sources.base import MissingError, ReadError
from components.sources.endings import is_image

_MOST_FOLDERS = 20  # beside a table, in which a file is looked for
_MOST_SAID = 200  # characters of an error
_USUAL_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")  # of names that a table writes without one


class ListedFiles:
    """The image files that a table names.

    A name counts from the table's folder. If no file is there, it is looked for in one of the folders beside the table, and with
    the usual endings, because tables often name images without both: `10_left` for `train/10_left.jpeg`. The folder is the one
    that holds the most of the table's first names; a file of the same name elsewhere is likely to be another image. Nor does a
    folder count that is named after another split than the table is, or than the row says.

    Args:
        table: The table's path.
        first_names: Returns some names of the table.
    """

    def __init__(self, table: str, first_names: Callable[[], Iterable[str]]) -> None:
        self._table = table
        self._folder = os.path.dirname(table) or "."
        self._first_names = first_names

    def find(self, name: str, split: str | None = None) -> str:
        """Return a name with the folder and the ending with which its file was found; as it is, if it was not found so.

        Args:
            name: The path as the table writes it.
            split: The split that the table puts it in.
        """
        path = self.path(name)
        if files.is_remote(path) or os.path.isabs(name) or os.path.lexists(path):
            return name
        matches = self._matches("", name)
        for folder in self._folders_for(split):
            matches = matches or self._matches(folder, name)
        return matches[0] if len(matches) == 1 else name

    def path(self, name: str) -> str:
        """Return the path of a name."""
        return name if files.is_remote(name) or os.path.isabs(name) else files.path_in(self._folder, name)

    def read(self, name: str, split: str | None = None, *, max_bytes: int) -> bytes:
        """Return a file's bytes, or one byte more than the limit allows if it is too large.

        Raises:
            MissingError: There is no such file, or it cannot be said which of several it is.
            ReadError, OSError: It cannot be read.
        """
        try:
            return _read(self.path(self.find(name, split)), max_bytes=max_bytes)
        except MissingError as error:
            raise MissingError(f"{error}{self._elsewhere(name)}") from None

    def remarks(self) -> list[str]:
        """Return a sentence on the folder in which names are looked for."""
        table = os.path.basename(self._table)
        if len(self._likeliest) > 1:
            return [f"The names of {table} fit files in {' and in '.join(self._likeliest)}: none of these was taken."]
        return [
            f"The files that {table} names were looked for in the folder {folder}, and in no other beside it."
            for folder in self._likeliest
        ]

    def _elsewhere(self, name: str) -> str:
        """Return what to say of files with a name that was not found."""
        if files.is_remote(self.path(name)) or os.path.isabs(name):
            return ""
        matches = [match for folder in ("", *_folders_in(self._folder)) for match in self._matches(folder, name)]
        if len(matches) > 1:
            return f"; two files of that name: {matches[0]} and {matches[1]}"
        return f"; not taken: {matches[0]}" if matches else ""

    def _matches(self, folder: str, name: str) -> list[str]:
        """Return a name with its folder and each ending with which there is such a file."""
        endings: Iterable[str] = ("",) if is_image(name) else ("", *_USUAL_ENDINGS)
        names = (os.path.join(folder, f"{name}{ending}") for ending in endings)
        return [each for each in names if os.path.isfile(files.path_in(self._folder, each))]

    def _folders_for(self, split: str | None) -> list[str]:
        """Return the folders in which a name is looked for, the likeliest first."""
        likeliest = self._likeliest if len(self._likeliest) == 1 else []
        if split is None:
            return likeliest
        own = [folder for folder in _folders_in(self._folder) if split_in(folder) == split]
        return [*(own if len(own) == 1 else []), *(folder for folder in likeliest if _may_hold(folder, split))]

    @cached_property
    def _likeliest(self) -> list[str]:
        """The folder that holds the most of the table's first names; several if they hold as many."""
        own = split_in(os.path.basename(self._table))
        names = [
            name for name in self._first_names() if not os.path.isabs(name) and not files.is_remote(self.path(name))
        ]
        names = [name for name in names if not os.path.lexists(self.path(name)) and not self._matches("", name)]
        counts: dict[str, int] = {}
        for folder in _folders_in(self._folder) if names else ():
            if own is None or _may_hold(folder, own):
                counts[folder] = sum(bool(self._matches(folder, name)) for name in names)
        most = max(counts.values(), default=0)
        likeliest = [folder for folder, count in counts.items() if count == most > 0]
        of_split = [folder for folder in likeliest if own is not None and split_in(folder) == own]
        return of_split if len(of_split) == 1 else likeliest


def _may_hold(folder: str, split: str) -> bool:
    """Return whether a folder may hold images of a split; validation images are often taken from those for training."""
    word = split_in(folder)
    return word in (None, split) or (word == "train" and split == "validation")


@lru_cache(maxsize=64)
def _folders_in(folder: str) -> tuple[str, ...]:
    """Return the names of the folders in a folder; none if they are many."""
    try:
        with os.scandir(folder) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return ()
    return tuple(folders) if len(folders) <= _MOST_FOLDERS else ()


def _read(path: str, *, max_bytes: int) -> bytes:
    if files.is_odd(path):
        raise ReadError("a folder, a pipe or a device")
    try:
        with files.open_file(path) as file:
            return file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(f"there is no file {path:.{_MOST_SAID}}") from None
    except files.NoFileSystemError as error:
        raise ReadError(f"{error!s:.{_MOST_SAID}}") from None
    except OSError as error:
        if len(str(error)) > _MOST_SAID:  # what stands where a path should be may be a whole image as text
            raise ReadError(f"{error!s:.{_MOST_SAID}}") from None
        raise
