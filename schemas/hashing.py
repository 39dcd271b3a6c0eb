"""Compute the sha256 of one file, or of many files in parallel."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

# Bytes. Larger files are hashed in a thread; for smaller ones, starting the thread would take longer than the hash.
LARGE = 1 << 20
MAX_QUEUED = 1000  # files whose digests are computed ahead of the reader


def sha256_of(path: Path | str) -> str:
    """Return the sha256 of a file's bytes, as hex."""
    with open(path, "rb", buffering=0) as file:  # `file_digest` has a buffer of its own
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(paths: Iterable[Path | str], digest: Callable[[str], str]) -> Iterator[str]:
    """Yield `digest(path)` of each file, in order. Large files, and files on another machine, are read in one thread per core."""
    remaining = iter(paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # In batches, so that memory does not grow with the number of files.
        while batch := list(islice(remaining, MAX_QUEUED)):
            results = [digest(str(path)) if _small(path) else pool.submit(digest, str(path)) for path in batch]
            yield from (result.result() if isinstance(result, Future) else result for result in results)


def sha256_of_each(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the sha256 of each file's bytes, as hex, in order."""
    return digests(paths, sha256_of)


def _small(path: Path | str) -> bool:
    try:
        return os.stat(path).st_size < LARGE
    except (OSError, ValueError):
        return False
