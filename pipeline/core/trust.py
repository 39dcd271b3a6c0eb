"""Asks before a generator is loaded that somebody else made: a SavedModel is a program, and runs with the user's rights.

The digests of generators that this user made, or has said yes to, are in one file of the user:
``$XDG_DATA_HOME/latent-mill/trusted``, or ``~/.local/share/latent-mill/trusted``. A digest covers every file of the generator
that is loaded, so a generator may be moved, and may not be changed.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from components.reporting.console import console
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError

SHOWN = 12  # digits of a digest on the screen
MAX_BYTES = 1 << 24  # of the file: some 250,000 digests


def trusted_path() -> Path | None:
    """Return the file of trusted digests, which need not exist; None: this user has no home folder."""
    folder = os.environ.get("XDG_DATA_HOME", "")
    try:
        data = Path(folder) if os.path.isabs(folder) else Path.home() / ".local" / "share"
    except RuntimeError:
        return None
    return data / "latent-mill" / "trusted"


def remember(generator: Generator) -> None:
    """Trust a generator from now on. If that cannot be written down, print a line and go on."""
    digest, path = generator.digest, trusted_path()
    try:
        if path is None:
            raise OSError(None, "this user has no home folder")
        if digest in _digests(path):
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:  # one write: two processes do not mix their lines
            file.write(f"{digest}\n".encode())
    except OSError as error:
        console.print(
            f"  cannot remember that this generator is trusted ({path or 'no file'}: {error.strerror}); later commands "
            "will ask, or need --trust",
            markup=False,
        )


def expect_trusted(generator: Generator, *, trust: bool) -> None:
    """Return if a generator may be loaded: this user made it, has said yes to it before, or says so now.

    Args:
        generator: The generator. Who loads it compares its files with its manifest.
        trust: The user's `--trust`, which counts as a yes.

    Raises:
        UsageError: The generator is not trusted, and the user says no or cannot be asked.
    """
    digest, path = generator.digest, trusted_path()
    try:
        if path is not None and digest in _digests(path):
            return
        problem = ""
    except OSError as error:
        problem = f" ({path} cannot be used: {error.strerror})"
    if not trust:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(
                f"{generator.path}: expected a generator that this machine made, found another one, "
                f"{digest[:SHOWN]}…{problem}; a SavedModel is a program: if you know who made it, add --trust (make: TRUST=1)"
            )
        console.print(
            f"{generator.path}: this machine did not make this generator, {digest[:SHOWN]}…{problem}. A SavedModel is a "
            "program that can do everything you can do: load it only if you know who made it.",
            markup=False,
        )
        if not _says_yes("load it, now and from now on? [y/N] "):
            raise UsageError(f"{generator.path}: expected a generator that you trust, found none; it was not loaded")
    remember(generator)


def _says_yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _digests(path: Path) -> set[str]:
    """Return the digests in a file; none if there is no file.

    Raises:
        OSError: The file cannot be read, or somebody else could have written it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return set()
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise OSError(None, f"expected a file of at most {MAX_BYTES:,} bytes")
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OSError(None, "expected a file that only you can write; chmod 600")
        return set(file.read(MAX_BYTES).decode("ascii", errors="replace").split())
