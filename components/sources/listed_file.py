"""An image file that a table names by its path, which may lead anywhere, or nowhere."""

from __future__ import annotations

from components.sources import files
from components.sources.base import MissingError, ReadError

_EXTRAS = {"gs": "gcp", "s3": "aws"}  # of setup.py, by scheme


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
    except OSError:
        raise
    except Exception as error:  # Beam's file systems raise many kinds where their packages or settings are missing
        if not files.is_remote(path):
            raise
        scheme = path.split("://")[0]
        advice = f"; install the extra `{_EXTRAS[scheme]}`" if scheme in _EXTRAS else ""
        raise ReadError(f"no file system for {scheme}:// here ({error!s:.100}){advice}") from None
