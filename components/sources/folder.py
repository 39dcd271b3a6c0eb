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
    """Every file below a folder, at any depth, by name. Hidden files, links, pipes and devices are passed over.

    Whether a file is an image is decided when it is opened, so one that is not ends among the rejected and is counted.
    Bytes of a name that are not UTF-8 stand in its key as in a URL, `caf%E9.png`, and so does `%` itself, as `%25`.
    """

    settings: FolderSource

    def __init__(self, settings: FolderSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.root, self.found = files.find(settings)
        if self.found[1:] == [] and not files.is_folder(self.found[0]):
            raise UsageError(f"sources.path: kind folder expects a folder, found the file {self.found[0]}")

    def digest(self) -> str:
        """Sha256 over every file's name and content."""
        total = hashlib.sha256()
        keys, same_keys = tee(self.keys())
        for key, sha256 in zip(keys, files.digests(map(self._path, same_keys)), strict=True):
            total.update(f"{key}\0{sha256}\0{self.item(key).label}\n".encode())
        return total.hexdigest()

    def keys(self) -> Iterator[str]:
        """Files by folder and name."""
        for found in self.found:
            for path in files.walk(found) if files.is_folder(found) else [found]:
                yield files.quoted(files.name_in(self.root, path).replace(os.sep, "/"))

    def _path(self, key: str) -> str:
        return files.path_in(self.root, files.unquoted(key))

    def read(self, place: str) -> bytes:
        """A file's bytes."""
        with files.open_file(self._path(place)) as file:
            return file.read(self.preprocess.max_bytes + 1)
