"""Downloads a recipe's public data set, only on request: no stage downloads anything."""

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

LOCAL = Path("/usr/share/datasets")  # of Debian's data packages
TIMEOUT = 30.0  # seconds without data
_PIECE = 2**16  # bytes


def fetch(recipe: Recipe, *, into: Path) -> Path:
    """Download the files of ``data.files`` into a folder. A file gets its name only when its sha256 is right.

    Returns:
        The path for ``SOURCE``: the folder, or the file itself if the recipe reads an archive.

    Raises:
        UsageError: The recipe names no files.
        DataError: A file could not be downloaded, or is not the one that the recipe names.
    """
    data = recipe.data
    if data is None or not data.files:
        hint = f"; download the images by hand: {_one_line(data.about)}" if data else ""
        raise UsageError(f"RECIPE={recipe.name}: expected files to fetch under data.files, found none{hint}")
    for file in data.files:
        path = into / file.name
        for rest in into.glob(f".{file.name}.*.tmp"):  # of a download that was killed
            rest.unlink()
        replaced = ""
        if path.is_file():
            if (sha256 := _sha256(path, file)) == file.sha256:
                say(f"{path}  already downloaded")
                continue
            replaced = f", replacing a file with sha256 {sha256[:12]}…"
        if local := _local(file):
            with replacing(path) as temporary:
                shutil.copyfile(local, temporary)
            say(f"{path}  copied from {local}{replaced}")
        else:
            _download(file, path, data)
            say(f"{path}  downloaded, {path.stat().st_size:,} bytes{replaced}")
    return into / data.files[0].name if recipe.sources[0].kind in ("zip", "tar") else into


def _local(file: Download) -> Path | None:
    """Return the same file from a package of the system, if there is one."""
    paths = (path for path in sorted(LOCAL.rglob(file.name)) if path.is_file())
    return next((path for path in paths if _sha256(path, file) == file.sha256), None)


def _sha256(path: Path, file: Download) -> str:
    """Return the sha256 of a file's content; of a `.gz`, of its unpacked content, which stays the same when packed again."""
    if not file.name.endswith(".gz"):
        return sha256_of(path)
    try:
        with gzip.open(path) as unpacked:
            return hashlib.file_digest(unpacked, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error):  # no gzip data, or incomplete
        return sha256_of(path)


def _download(file: Download, path: Path, data: DataSection) -> None:
    try:
        with replacing(path) as temporary:
            _stream(file, temporary)
            if (sha256 := _sha256(temporary, file)) != file.sha256:
                raise DataError(
                    f"{file.url}: expected sha256 {file.sha256[:12]}…, found {sha256[:12]}…; the file was removed"
                )
    except _DownloadFailed as error:
        raise DataError(
            f"{file.url}: expected a download, found {error}; "
            f"download it by hand: {_one_line(data.about)}; put it into {path.parent}"
        ) from None


class _DownloadFailed(Exception):
    """A download that did not start, or ended too early; the message says why."""


def _stream(file: Download, path: Path) -> None:
    """Download a file, piece by piece."""
    try:
        response = urllib.request.urlopen(file.url, timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no valid URL
        if isinstance(error, HTTPError):
            error.close()
        raise _DownloadFailed(_reason(error)) from None
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else 0
    size = 0
    with response, path.open("wb") as out, bar(file.name, total=total, unit="bytes") as update:
        for piece in _pieces(response):
            out.write(piece)
            size += len(piece)
            update(size)
    if size < total:  # http.client does not notice an early end
        raise _DownloadFailed(f"{size:,} of {total:,} bytes")


def _pieces(response: IO[bytes]) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read(_PIECE)
        except (OSError, HTTPException) as error:  # of the connection, not of the disk
            raise _DownloadFailed(_reason(error)) from None
        if not piece:
            return
        yield piece


def _reason(error: Exception) -> str:
    """Return an error in few words; of urllib's errors, the one that they wrap."""
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    cause = error.reason if isinstance(error, URLError) else error
    return _one_line(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())
