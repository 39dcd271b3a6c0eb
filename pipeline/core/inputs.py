"""What a stage reads: held while it is read, and compared again before the stage seals what it has made of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from schemas.artifacts import locks
from schemas.artifacts.manifest import MANIFEST, Artifact
from schemas.errors import DataError

AGAIN = "run the same command again"


class InputsChanged(DataError):
    """What a stage reads is not what its manifest will name, or not all the time."""


class Inputs:
    """What a stage reads, and the digests that its manifest will name.

    `held` surrounds the stage's work, and `compared` the sealing. Locks keep runs apart that see each other's locks. Other
    machines may not see them, and nobody locks a source, so everything is also compared again.

    Args:
        artifacts: The artifacts that the stage reads, by their names in the manifest.
        digests: Digests of these and of external data, by their names in the manifest.
        external: A function that returns the digests of the external data as it is now; None where that has no path.
    """

    def __init__(
        self,
        artifacts: Mapping[str, Artifact],
        digests: Mapping[str, str],
        external: Callable[[], Mapping[str, str | None]],
    ) -> None:
        self.artifacts = artifacts
        self.digests = digests
        self.external = external

    @contextmanager
    def held(self) -> Iterator[str]:
        """Check what the stage reads, and hold it; yield a text that stands for these editions of the artifacts.

        Raises:
            DataError: An artifact is not whole.
            InputsChanged: Something is not what the manifest will name, at the beginning or at the end.
        """
        with locks.reading(artifact.path for artifact in self.artifacts.values()):
            before = {name: _edition(artifact) for name, artifact in self.artifacts.items()}
            for name, artifact in self.artifacts.items():
                artifact.check(thorough=True)
                if artifact.digest != self.digests[name]:
                    raise InputsChanged(
                        f"{artifact.path}: expected {name} {self.digests[name][:12]}…, found {artifact.digest[:12]}… of "
                        f"another run; {AGAIN}"
                    )
            try:
                yield hashlib.sha256("".join(manifest for manifest, _ in before.values()).encode()).hexdigest()
            except Exception as error:
                self._expect_the_same(before, cause=error)  # which may explain the error
                raise
            self._expect_the_same(before)

    @contextmanager
    def compared(self) -> Iterator[None]:
        """Compare the external data again while the artifact is sealed, which takes about as long.

        Raises:
            InputsChanged: It is not what the manifest names.
        """
        with ThreadPoolExecutor(1) as pool:
            now = pool.submit(self.external)
            yield
            for name, digest in now.result().items():
                if digest is not None and digest != self.digests.get(name, digest):
                    raise InputsChanged(
                        f"{name}: expected the same content until everything was read, found that some of it was changed, added "
                        f"or removed; {AGAIN} when nobody writes there"
                    )

    def _expect_the_same(self, before: Mapping[str, tuple[str, int]], cause: Exception | None = None) -> None:
        for name, artifact in self.artifacts.items():
            if _edition(artifact) != before[name]:
                raise InputsChanged(
                    f"{artifact.path}: expected the same {name} until everything was read, found another run's in its place; "
                    f"{AGAIN}"
                ) from cause


def _edition(artifact: Artifact) -> tuple[str, int]:
    """Return what tells an artifact from another one under its name, also from one made again with the same content.

    It is the manifest and its time, and not its inode, which some network file systems change.
    """
    try:
        with (artifact.path / MANIFEST).open("rb") as file:
            return file.read().decode(errors="replace"), os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return "", 0
