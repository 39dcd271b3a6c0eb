"""Files and folders, on this machine or on any of Beam's file systems (`gs://`, `s3://`, …).

Files of this machine are read without Beam, which takes a second to import.
"""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast
from urllib.parse import unquote_to_bytes

from components.sources import braces
from components.sources.system_folders import REASON, in_system_folder, is_system_folder
from components.sources.walking import walk_folders
from schemas import hashing
from schemas.errors import UsageError
from schemas.paths import user_path

_WILD = re.compile(r"[*?\[]")
# By scheme: a module that its file system needs, and what brings it.
_NEEDS = {
    "gs": ("google.cloud.storage", "the extra `gcp`"),
    "s3": ("boto3", "the extra `aws`"),
    "azfs": ("azure.storage.blob", "apache-beam[azure]"),
    "hdfs": ("hdfs", "apache-beam[hadoop]"),
}


class NoFileSystemError(OSError):
    """The file system of a path needs a package that is missing, or cannot be set up."""


def is_remote(path: str) -> bool:
    """Return whether a path has a scheme, such as ``gs://bucket/photos``."""
    return re.match(r"[a-z][a-z0-9+.-]*://", path) is not None


def find(settings: Any) -> tuple[str, list[str]]:
    """Find the files and folders of a source's `path`.

    A path with `*`, `?` or `[…]` stands for all paths that match it, and `**` for folders of any depth; a file or folder of
    exactly that name goes first. A path with braces, `{000..099}` or `{train,val}`, stands for several paths, all of which
    must exist. Names then count from the last folder before the first such sign.

    Returns:
        The folder that names count from, and the files and folders, sorted.

    Raises:
        UsageError: No path is set, nothing is there, it is a pipe or a device, or its file system cannot be reached.
    """
    if settings.path is None:
        raise UsageError("sources: expected the path of your images, found none; set SOURCE=… (or --source …)")
    path = settings.path if is_remote(settings.path) else str(user_path(settings.path))
    if not is_remote(path) and os.path.lexists(path):
        _expect_no_pipe(path)
        return (path, [path]) if os.path.isdir(path) else (os.path.dirname(path) or ".", [path])
    paths: list[str] = []
    for pattern in braces.expand(path):
        try:
            matches = _match(pattern)
        except OSError as error:
            raise UsageError(f"sources.path: expected a file or folder at {pattern}, found {error}") from None
        except RecursionError:  # `glob` calls itself for each folder that `**` stands for
            raise UsageError(
                f"sources.path: expected a file or folder at {pattern}, found folders too deep in each other for `**`; "
                "give the folder"
            ) from None
        if not matches:
            raise UsageError(
                f"sources.path: expected a file or folder, found nothing at {pattern}; "
                "check SOURCE=… (or --source …, or the recipe's path)"
            )
        paths += matches
    paths = sorted(set(paths))
    for match in paths:
        _expect_no_pipe(match)
    fixed = re.split(f"{_WILD.pattern}|{braces.PATTERN.pattern}", path)[0]
    root = fixed.rsplit("/", 1)[0] if "/" in fixed else "."
    return (path if paths == [path] and is_folder(path) else root or "/"), paths


def _expect_no_pipe(path: str) -> None:
    """Check that a path is no pipe and no device, which reading would wait for, or never end."""
    if is_odd(path) and not os.path.isdir(path):
        raise UsageError(
            f"sources.path: expected a file or folder, found a pipe or a device at {path}; write its content into a file first"
        )


def find_files(settings: Any, *, endings: tuple[str, ...]) -> tuple[str, list[str]]:
    """Find files as `find` does, also those below folders. A single file may have any name; several need one of the endings.

    Raises:
        UsageError: No path is set, or no such file is there.
    """
    root, paths = find(settings)
    if len(paths) == 1 and not is_folder(paths[0]):
        return root, paths
    inside = (path for each in paths for path in (walk(each) if is_folder(each) else [each]))
    named = [path for path in inside if path.lower().endswith(endings)]
    if not named:
        raise UsageError(
            f"sources.path: kind {settings.kind} expects files named *{' or *'.join(endings)}, found none in {paths[0]}"
        )
    return root, named


def name_in(folder: str, path: str) -> str:
    """Return the name of a path relative to a folder that contains it."""
    return path.removeprefix("./") if folder == "." else path[len(folder.rstrip("/")) + 1 :]


def path_in(folder: str, name: str) -> str:
    """Return the path of a name that is relative to a folder."""
    return f"{folder.rstrip('/')}/{name}"


def _match(pattern: str) -> list[str]:
    if not is_remote(pattern):
        return sorted(glob.glob(pattern, recursive=True))
    if not _WILD.search(pattern) and is_folder(pattern):
        return [pattern]
    with _file_system(pattern) as file_systems:
        return sorted(file.path for file in file_systems.match([pattern])[0].metadata_list)


def is_folder(path: str) -> bool:
    """Return whether a path is a folder; in a bucket, whether longer names begin with it."""
    if not is_remote(path):
        return os.path.isdir(path)
    with _file_system(path) as file_systems:
        return bool(file_systems.match([f"{path.rstrip('/')}/**"], [1])[0].metadata_list)


def is_file(path: str) -> bool:
    """Return whether a path is a file."""
    if not is_remote(path):
        return os.path.isfile(path)
    with _file_system(path) as file_systems:
        return bool(file_systems.exists(path))


class LeftOut(dict[str, list[str]]):
    """The paths below a folder that were not followed, by reason."""

    def add(self, reason: str, path: str) -> None:
        """Add a path."""
        self.setdefault(reason, []).append(path)


def walk(folder: str, *, deep: bool = True, left_out: LeftOut | None = None) -> Iterator[str]:
    """Yield the paths of all files below a folder, by folder and name.

    Links to files are followed. Hidden files, pipes, devices, links to folders, which could lead in circles, and folders that
    a system keeps for itself are skipped.

    Args:
        folder: The folder.
        deep: Whether to go into the folders within it.
        left_out: Where to write what is skipped, other than hidden files.
    """
    left_out = LeftOut() if left_out is None else left_out
    if is_remote(folder):
        root = folder.rstrip("/")
        pattern = f"{root}/**" if deep else f"{root}/*"
        for path in _match(pattern):
            name = path[len(root) + 1 :]
            if in_system_folder(name):
                left_out.add(REASON, path)
            elif not any(part.startswith(".") for part in name.split("/")) and not path.endswith("/"):
                yield path
        return

    def closed(error: OSError) -> None:
        left_out.add("a folder that cannot be entered", str(error.filename))

    for parent, folders, files in walk_folders(folder, closed=closed):
        for name in filter(is_system_folder, folders if deep else ()):
            if os.path.islink(os.path.join(parent, name)):
                left_out.add("a link to a folder", os.path.join(parent, name))
                continue
            for below, _, its_files in walk_folders(os.path.join(parent, name), closed=closed):
                for file in sorted(its_files):
                    left_out.add(REASON, os.path.join(below, file))
        folders[:] = [name for name in folders if not is_system_folder(name)]
        folders[:] = sorted(name for name in folders if deep and not name.startswith("."))
        for name in folders:
            if os.path.islink(path := os.path.join(parent, name)):
                left_out.add("a link to a folder", path)
        for name in sorted(files):
            path = os.path.join(parent, name)
            if not name.startswith("."):
                if reason := _why_not_regular(path):
                    left_out.add(reason, path)
                else:
                    yield path


def _why_not_regular(path: str) -> str | None:
    """Return why a path is no file to be read; None: it is one."""
    try:
        return None if stat.S_ISREG(os.stat(path).st_mode) else "a pipe or a device"
    except OSError:
        # Other than a link, it has vanished since; reading it will say so.
        return "a link that leads nowhere" if os.path.islink(path) else None


def open_file(path: str) -> IO[bytes]:
    """Open a file for reading, on any file system.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    if not is_remote(path):
        return open(path, "rb")
    with _file_system(path) as file_systems:
        from apache_beam.io.filesystem import BeamIOError, CompressionTypes

        try:
            return cast("IO[bytes]", file_systems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))
        except BeamIOError as error:
            if not file_systems.exists(path):
                raise FileNotFoundError(f"nothing at {path}") from None
            raise OSError(str(error)) from error


def is_odd(path: str) -> bool:
    """Return whether a path on this machine is a folder, a pipe or a device; opening a pipe would wait for ever."""
    try:
        return not is_remote(path) and not stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def size_of(path: str) -> int:
    """Return the size of a file in bytes."""
    if not is_remote(path):
        return os.stat(path).st_size
    with _file_system(path) as file_systems:
        return int(file_systems.get_filesystem(path).size(path))


def digest_of(path: str) -> str:
    """Return the sha256 (hex) of a file's bytes; for a remote file, that of its size and its storage's checksum."""
    if not is_remote(path):
        return hashing.sha256_of(path)
    with _file_system(path) as file_systems:
        return hashlib.sha256(f"{size_of(path)} {file_systems.checksum(path)}".encode()).hexdigest()


def digests(paths: Iterable[str]) -> Iterator[str]:
    """Yield the digests of many files, in order; "unreadable" for a file that ingest will list among the rejected."""

    def digest(path: str) -> str:
        try:
            return "unreadable" if is_odd(path) else digest_of(path)
        except (OSError, ValueError, AttributeError, ImportError):  # the latter by file systems that are not installed
            return "unreadable"

    return hashing.digests(paths, digest)


def digest_of_all(paths: Mapping[str, str]) -> str:
    """Return the digest of one file, or the sha256 (hex) over the names and digests of several."""
    digests = {name: digest_of(path) for name, path in paths.items()}
    if len(digests) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in digests.items()).encode()).hexdigest()


_UNSAFE = re.compile("[%\udc80-\udcff]")  # Python decodes bytes that are not UTF-8 to these surrogates


def quote(name: str) -> str:
    """Write a file's name as text: bytes that are not UTF-8 as in a URL, `caf%E9.png`, and `%` itself as `%25`."""
    return _UNSAFE.sub(lambda match: f"%{os.fsencode(match[0])[0]:02X}", name)


def unquote(name: str) -> str:
    """Return the name that became this text in `quote`."""
    return os.fsdecode(unquote_to_bytes(name))


@contextmanager
def _file_system(path: str) -> Iterator[Any]:
    """Yield Beam's file systems, to use that of a path.

    Raises:
        NoFileSystemError: The file system needs a package that is missing, or cannot be set up; Beam raises errors of many kinds.
        OSError: It cannot be read.
    """
    scheme = path.partition("://")[0]
    module, package = _NEEDS.get(scheme, ("", ""))
    if module and not _installed(module):
        raise NoFileSystemError(f"no file system for {scheme}:// here; install {package}")
    from apache_beam.io.filesystems import FileSystems

    try:
        yield FileSystems
    except OSError:
        raise
    except Exception as error:
        raise NoFileSystemError(f"no file system for {scheme}:// here ({_first_sentence(error)})") from error


def _first_sentence(error: Exception) -> str:
    return " ".join(str(error).split()).partition(", please")[0][:100]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of its parent
        return False
