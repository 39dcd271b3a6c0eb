"""Sha256 of files: one, or many at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

# From so many bytes on a file is hashed sooner in a thread than here; handing over a small one takes longer.
LARGE = 1 << 20
AHEAD = 1000  # files


def sha256_of(path: Path) -> str:
    """Sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(paths: Iterable[Path | str], digest: Callable[[str], str]) -> Iterator[str]:
    """`digest` of each file, in order. What is large, or not on this machine, is read in threads, one per core."""
    remaining = iter(paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(remaining, AHEAD)):  # so that memory does not grow with their number
            found = [digest(str(path)) if _small(path) else pool.submit(digest, str(path)) for path in some]
            yield from (one.result() if isinstance(one, Future) else one for one in found)


def sha256_of_each(paths: Iterable[Path]) -> Iterator[str]:
    """Sha256 of each file's bytes, as hex, in order."""
    return digests(paths, lambda path: sha256_of(Path(path)))


def _small(path: Path | str) -> bool:
    try:
        return os.stat(path).st_size < LARGE
    except (OSError, ValueError):
        return False
