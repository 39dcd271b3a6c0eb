"""The base class of artifacts: a folder with a manifest, which is whole or not there, and can be verified."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas import atomic
from schemas.errors import DataError
from schemas.hashing import sha256_of_each
from schemas.paths import found_at

MANIFEST = "manifest.json"


class FileEntry(BaseModel):
    """Size in bytes and sha256 (hex) of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int
    sha256: str


class Manifest(BaseModel):
    """The description of an artifact, saved as its `manifest.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: str
    digest: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    counts: dict[str, int]
    files: dict[str, FileEntry]
    recipe: dict[str, Any]
    versions: dict[str, str]
    duration_seconds: float
    created: str


class Artifact:
    """A folder with a manifest.

    Args:
        path: The folder of the files; it need not exist yet.
        work: Scratch folder of the stage that writes this artifact. Unfinished work is kept there, so that the stage can resume.
    """

    TYPE: ClassVar[str]
    # Files that hold times: verified like the others, but no part of the artifact's digest, because they differ between runs.
    VOLATILE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path, *, work: Path | None = None) -> None:
        self.path = Path(path)
        self.work = work or self.path.with_name(f".work-{self.path.name}")

    @property
    def exists(self) -> bool:
        """Whether the artifact is there, and so whole."""
        return (self.path / MANIFEST).is_file()

    def in_its_place(self) -> str:
        """Return a line on what lies where the artifact belongs, and may be somebody's own; "" if nothing does."""
        if not os.path.lexists(self.path) or self.exists:
            return ""
        if not self.path.is_dir():
            return f"{self.path}: expected a folder, or nothing, found {found_at(self.path)}"
        return (
            f"{self.path}: expected an artifact, found a folder without {MANIFEST}" if any(self.path.iterdir()) else ""
        )

    @property
    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            DataError: There is no manifest, or it is not one of this type.
        """
        path = self.path / MANIFEST
        if not path.is_file():  # reading a pipe or a device would never end
            raise DataError(f"{path}: expected the manifest of {self.TYPE}, found no file")
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise DataError(
                f"{path}: expected the manifest of {self.TYPE}, found something else ({_first_line(error)})"
            ) from None
        if manifest.type != self.TYPE:
            raise DataError(f"{path}: expected an artifact of type {self.TYPE}, found {manifest.type}")
        return manifest

    @property
    def digest(self) -> str:
        """The hex sha256 of type, inputs, settings and files, which identifies the content."""
        return self.manifest.digest

    def damage(self, *, thorough: bool) -> list[str]:
        """Compare the folder with its manifest, and return one line per difference.

        Args:
            thorough: Read and hash every file; otherwise only sizes are compared.
        """
        manifest = self.manifest
        lines = []
        same_size = []
        files = _Files(self.path)
        if isinstance(problem := files.size(MANIFEST), str):
            lines.append(f"{self.path / MANIFEST}: expected a file, found {problem}")
        for name, entry in manifest.files.items():
            path = self.path / name
            if isinstance(size := files.size(name), str):
                lines.append(f"{path}: expected a file of {entry.size:,} bytes, found {size}")
            elif size != entry.size:
                lines.append(f"{path}: expected {entry.size:,} bytes, found {size:,}")
            else:
                same_size.append((path, entry.sha256))
        if thorough:
            digests = sha256_of_each(path for path, _ in same_size)
            lines += [
                f"{path}: expected sha256 {expected[:12]}…, found {sha256[:12]}…"
                for (path, expected), sha256 in zip(same_size, digests, strict=True)
                if sha256 != expected
            ]
            listed = set(manifest.files) | {MANIFEST}
            lines += [
                f"{self.path / name}: expected no such file, the manifest does not list it"
                for name in sorted(_names(self.path, special=True) - listed)
            ]
        digest = self._digest(manifest.inputs, manifest.settings, manifest.files)
        if digest != manifest.digest:
            lines.append(f"{self.path / MANIFEST}: expected digest {digest[:12]}…, found {manifest.digest[:12]}…")
        return lines

    def check(self, *, thorough: bool) -> None:
        """Raise DataError with the first difference between the folder and its manifest, if there is any."""
        if lines := self.damage(thorough=thorough):
            more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
            raise DataError(f"{lines[0]}{more}; to make it again, remove {self.path}")

    def _digest(self, inputs: dict[str, str], settings: dict[str, Any], files: dict[str, FileEntry]) -> str:
        digested = {
            name: entry.sha256 for name, entry in files.items() if not name.startswith(self.VOLATILE or ("\0",))
        }
        content = {"type": self.TYPE, "inputs": inputs, "settings": settings, "files": digested}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def seal(
        self,
        *,
        inputs: dict[str, str],
        settings: dict[str, Any],
        counts: dict[str, int],
        recipe: dict[str, Any],
        versions: dict[str, str],
        duration_seconds: float,
        created: str,
    ) -> Manifest:
        """Flush and hash every file, then write the manifest, which makes the artifact whole."""
        (self.path / MANIFEST).unlink(missing_ok=True)
        names = sorted(_names(self.path))
        atomic.fsync_all([self.path / name for name in names], below=self.path)
        paths = [self.path / name for name in names]
        files = {
            name: FileEntry(size=path.stat().st_size, sha256=sha256)
            for name, path, sha256 in zip(names, paths, sha256_of_each(paths), strict=True)
        }
        manifest = Manifest(
            type=self.TYPE,
            digest=self._digest(inputs, settings, files),
            inputs=inputs,
            settings=settings,
            counts=counts,
            files=files,
            recipe=recipe,
            versions=versions,
            duration_seconds=duration_seconds,
            created=created,
        )
        atomic.write_text(self.path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        return manifest


def _names(root: Path, *, special: bool = False) -> set[str]:
    """Return the files below a folder; if `special`, also pipes, devices, and links, wherever these lead."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() or (special and (path.is_symlink() or not path.is_dir()))
    }


class _Files:
    """The files that a manifest lists. It may come from anybody: neither its names nor links may lead out of the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.folders: dict[str, Path] = {}  # without links, by name

    def size(self, name: str) -> int | str:
        """Return a file's size in bytes, or what was found instead of it."""
        outside = "one outside of the artifact; a copy of it must hold the files themselves (cp -RL)"
        folder, _, last = name.rpartition("/")
        if ".." in name.split("/"):
            return outside
        try:
            if folder not in self.folders:
                self.folders[folder] = (self.root / folder).resolve()
            path = self.folders[folder] / last
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                path = path.resolve(strict=True)
                status = path.stat()
        except (OSError, RuntimeError, ValueError):  # also: a link that leads to itself, a name that no file can have
            return "none"
        if not path.is_relative_to(self.root):
            return outside
        return status.st_size if stat.S_ISREG(status.st_mode) else "something else"


def _first_line(error: Exception) -> str:
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).splitlines()[0]
