"""A recipe's public data set, downloaded when a person asks for it by name. No stage does that."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import urllib.request
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError

from components.reporting.console import bar, say
from schemas.atomic import replacing
from schemas.errors import DataError, UsageError
from schemas.hashing import sha256_of
from schemas.recipe.recipe import Recipe
from schemas.recipe.sources import DataSection, Download

LOCAL = Path("/usr/share/datasets")  # where Debian's data packages are
TIMEOUT = 30.0  # seconds of silence
_PIECE = 2**16  # bytes


def fetch(recipe: Recipe, *, into: Path) -> Path:
    """Brings the files of ``data.files`` into a folder; none gets its name before its sha256 is right.

    Returns:
        What ``SOURCE`` takes: the folder, or the file itself where the recipe reads an archive.

    Raises:
        UsageError: The recipe names no files.
        DataError: A file could not be had, or is not the one that the recipe names.
    """
    data = recipe.data
    if data is None or not data.files:
        hint = f"; get the images by hand: {_one_line(data.about)}" if data else ""
        raise UsageError(f"RECIPE={recipe.name}: expected files to fetch under data.files, found none{hint}")
    for file in data.files:
        path = into / file.name
        for left in into.glob(f".{file.name}.*.tmp"):  # by a download that was killed
            left.unlink()
        replaced = ""
        if path.is_file():
            if (found := _sha256(path, file)) == file.sha256:
                say(f"{path}  have")
                continue
            replaced = f", in place of a file with sha256 {found[:12]}…"
        if local := _local(file):
            with replacing(path) as temporary:
                shutil.copyfile(local, temporary)
            say(f"{path}  copied from {local}{replaced}")
        else:
            _download(file, path, data)
            say(f"{path}  downloaded, {path.stat().st_size:,} bytes{replaced}")
    return into / data.files[0].name if recipe.sources[0].kind in ("zip", "tar") else into


def _local(file: Download) -> Path | None:
    """The same file, if a package of the system has brought it."""
    found = (path for path in sorted(LOCAL.rglob(file.name)) if path.is_file())
    return next((path for path in found if _sha256(path, file) == file.sha256), None)


def _sha256(path: Path, file: Download) -> str:
    """Of what the file holds: of a `.gz` the unpacked content, which packing it again does not change."""
    if not file.name.endswith(".gz"):
        return sha256_of(path)
    try:
        with gzip.open(path) as unpacked:
            return hashlib.file_digest(unpacked, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error):  # no gzip data, or not all of them
        return sha256_of(path)


def _download(file: Download, path: Path, data: DataSection) -> None:
    try:
        with replacing(path) as temporary:
            _stream(file, temporary)
            if (found := _sha256(temporary, file)) != file.sha256:
                raise DataError(
                    f"{file.url}: expected sha256 {file.sha256[:12]}…, found {found[:12]}…; nothing was kept"
                )
    except _Broken as error:
        raise DataError(
            f"{file.url}: expected a download, found {error}; "
            f"get it by hand: {_one_line(data.about)}; put it into {path.parent}"
        ) from None


class _Broken(Exception):
    """A download that did not begin, or ended too early; the message says why."""


def _stream(file: Download, path: Path) -> None:
    """Writes what the URL holds, piece by piece."""
    try:
        response = urllib.request.urlopen(file.url, timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:  # a URL that is none is a ValueError
        if isinstance(error, HTTPError):
            error.close()
        raise _Broken(_reason(error)) from None
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else 0
    size = 0
    with response, path.open("wb") as out, bar(file.name, total=total, unit="bytes") as tell:
        for piece in _pieces(response):
            out.write(piece)
            size += len(piece)
            tell(size)
    if size < total:  # http.client takes an early end for the end
        raise _Broken(f"{size:,} of {total:,} bytes")


def _pieces(response: IO[bytes]) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read(_PIECE)
        except (OSError, HTTPException) as error:  # of the connection; what the disk says is another matter
            raise _Broken(_reason(error)) from None
        if not piece:
            return
        yield piece


def _reason(error: Exception) -> str:
    """What went wrong, in few words: of urllib's errors, the one that they wrap."""
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = error.reason if isinstance(error, URLError) else error
    return _one_line(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())
