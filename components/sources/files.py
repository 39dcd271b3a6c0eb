"""Files and folders, on this machine or wherever Beam's file systems reach (`gs://`, `s3://`, …).

What is on this machine is read without Beam, which takes a second to import.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote_to_bytes

from components.sources import braces
from schemas import hashing
from schemas.errors import UsageError

_WILD = re.compile(r"[*?\[]")


def is_remote(path: str) -> bool:
    """Whether a path has a scheme, such as ``gs://bucket/photos``."""
    return re.match(r"[a-z][a-z0-9+.-]*://", path) is not None


def find(settings: Any) -> tuple[str, list[str]]:
    """What a source's `path` stands for: the folder that names count from, and the files and folders, by name.

    A path with `*`, `?` or `[…]` stands for all that match it, `**` for any depth, unless something of that very name is
    there; one with braces, `{000..099}` or `{train,val}`, for each path that these make, and each has to be there. Names
    then count from the last folder before the first such sign.

    Raises:
        UsageError: No path is set, or nothing is there.
    """
    if settings.path is None:
        raise UsageError("sources: expected the path of your images, found none; set SOURCE=… (or --source …)")
    path = settings.path if is_remote(settings.path) else str(Path(settings.path).expanduser())
    if not is_remote(path) and os.path.lexists(path):
        return (path, [path]) if os.path.isdir(path) else (os.path.dirname(path) or ".", [path])
    found: list[str] = []
    for pattern in braces.expanded(path):
        matching = _match(pattern)
        if not matching:
            raise UsageError(f"sources.path: expected a file or folder, found nothing at {pattern}; set SOURCE=…")
        found += matching
    found = sorted(set(found))
    fixed = re.split(f"{_WILD.pattern}|{braces.PATTERN.pattern}", path)[0]
    root = fixed.rsplit("/", 1)[0] if "/" in fixed else "."
    return (path if found == [path] and is_folder(path) else root or "/"), found


def find_files(settings: Any, *, endings: tuple[str, ...]) -> tuple[str, list[str]]:
    """As `find`, with the files below each folder in the folder's place; of several, those with one of these endings.

    Raises:
        UsageError: No path is set, or no such file is there.
    """
    root, found = find(settings)
    if len(found) == 1 and not is_folder(found[0]):
        return root, found
    inside = (path for one in found for path in (walk(one) if is_folder(one) else [one]))
    named = [path for path in inside if path.lower().endswith(endings)]
    if not named:
        raise UsageError(
            f"sources.path: kind {settings.kind} expects files named *{' or *'.join(endings)}, found none in {found[0]}"
        )
    return root, named


def name_in(folder: str, path: str) -> str:
    """A path's name, counted from a folder that it lies in."""
    return path.removeprefix("./") if folder == "." else path[len(folder.rstrip("/")) + 1 :]


def path_in(folder: str, name: str) -> str:
    """The path of a name that counts from a folder."""
    return f"{folder.rstrip('/')}/{name}"


def _match(pattern: str) -> list[str]:
    if not is_remote(pattern):
        return sorted(glob.glob(pattern, recursive=True))
    if not _WILD.search(pattern) and is_folder(pattern):
        return [pattern]
    return sorted(found.path for found in _beam().match([pattern])[0].metadata_list)


def is_folder(path: str) -> bool:
    """Whether a path is a folder; in a bucket, whether names go on after it."""
    if not is_remote(path):
        return os.path.isdir(path)
    return bool(_beam().match([f"{path.rstrip('/')}/**"], [1])[0].metadata_list)


def is_file(path: str) -> bool:
    """Whether a path is a file."""
    return bool(_beam().exists(path)) if is_remote(path) else os.path.isfile(path)


def walk(folder: str, *, deep: bool = True) -> Iterator[str]:
    """Paths of all files below a folder, by folder and name. Hidden ones, links, pipes and devices are passed over.

    Args:
        folder: Where they are.
        deep: Whether folders within it count too.
    """
    if is_remote(folder):
        root = folder.rstrip("/")
        pattern = f"{root}/**" if deep else f"{root}/*"
        for path in sorted(found.path for found in _beam().match([pattern])[0].metadata_list):
            if not any(part.startswith(".") for part in path[len(root) + 1 :].split("/")) and not path.endswith("/"):
                yield path
        return
    for parent, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if deep and not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(parent, name)
            if not name.startswith(".") and _is_regular(path):
                yield path


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True  # listed, and said to be gone when it is read


def open_file(path: str) -> IO[bytes]:
    """Opens a file for reading, at any place.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    if not is_remote(path):
        return open(path, "rb")
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes

    try:
        return cast("IO[bytes]", _beam().open(path, compression_type=CompressionTypes.UNCOMPRESSED))
    except BeamIOError as error:
        if not _beam().exists(path):
            raise FileNotFoundError(f"nothing at {path}") from None
        raise OSError(str(error)) from error


def is_odd(path: str) -> bool:
    """Whether a path on this machine is a folder, a pipe or a device. To open a pipe is to wait for ever."""
    return not is_remote(path) and os.path.exists(path) and not os.path.isfile(path)


def size_of(path: str) -> int:
    """Bytes of a file."""
    return int(_beam().get_filesystem(path).size(path)) if is_remote(path) else os.stat(path).st_size


def digest_of(path: str) -> str:
    """Sha256 (hex) of a file's bytes; of a remote one, of its size and of the checksum that its storage keeps."""
    if not is_remote(path):
        return hashing.sha256_of(Path(path))
    return hashlib.sha256(f"{size_of(path)} {_beam().checksum(path)}".encode()).hexdigest()


def digests(paths: Iterable[str]) -> Iterator[str]:
    """Of many files, in order; "unreadable" for those that are, which ingest lists among the rejected."""

    def digest(path: str) -> str:
        try:
            return "unreadable" if is_odd(path) else digest_of(path)
        except (OSError, ValueError):
            return "unreadable"

    return hashing.digests(paths, digest)


def digest_of_all(paths: Mapping[str, str]) -> str:
    """The digest of one file, or sha256 (hex) over names and digests of several, given by name."""
    found = {name: digest_of(path) for name, path in paths.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in found.items()).encode()).hexdigest()


_UNSAFE = re.compile("[%\udc80-\udcff]")  # where a name is not UTF-8, Python puts these surrogates


def quoted(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 stand as in a URL, `caf%E9.png`, and so does `%` itself, as `%25`."""
    return _UNSAFE.sub(lambda found: f"%{os.fsencode(found[0])[0]:02X}", name)


def unquoted(name: str) -> str:
    """The name that `quoted` was given."""
    return os.fsdecode(unquote_to_bytes(name))


def _beam() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems
