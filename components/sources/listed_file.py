"""An image file that a table names by its path, which may lead anywhere, or nowhere."""

from __future__ import annotations

from components.sources import files
from components.sources.base import MissingError, ReadError


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
