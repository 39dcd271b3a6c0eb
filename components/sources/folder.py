"""A folder of image files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import tee

from components.sources import files
from components.sources.base import FileNames
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import FolderSource


class Folder(FileNames):
    """All files below a folder, at any depth, by name; hidden files, links, pipes and devices are skipped.

    Whether a file is an image is decided when it is opened, so a file that is none is counted among the rejected.
    In keys, bytes that are not UTF-8 stand as in a URL, `caf%E9.png`, and `%` itself as `%25`.
    """

    settings: FolderSource

    def __init__(self, settings: FolderSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self.paths = files.find(settings)
        if self.paths[1:] == [] and not files.is_folder(self.paths[0]):
            raise UsageError(f"sources.path: kind folder expects a folder, found the file {self.paths[0]}")

    def digest(self) -> str:
        """Return the sha256 over every file's name, content and label."""
        total = hashlib.sha256()
        keys, same_keys = tee(self.keys())
        for key, sha256 in zip(keys, files.digests(map(self._path, same_keys)), strict=True):
            total.update(f"{key}\0{sha256}\0{self.item(key).label}\n".encode())
        return total.hexdigest()

    def keys(self) -> Iterator[str]:
        """Yield the names of all files, by folder and name."""
        for top in self.paths:
            for path in files.walk(top) if files.is_folder(top) else [top]:
                yield files.quote(files.name_in(self.root, path).replace(os.sep, "/"))

    def _path(self, key: str) -> str:
        return files.path_in(self.root, files.unquote(key))

    def read(self, place: str) -> bytes:
        """Return a file's bytes."""
        with files.open_file(self._path(place)) as file:
            return file.read(self.preprocess.max_bytes + 1)
