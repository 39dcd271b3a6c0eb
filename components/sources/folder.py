"""A folder of image files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import tee

from components.sources import files
from components.sources.base import FileNames, is_contact_sheet
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import FolderSource


class Folder(FileNames):
    """All files below a folder, at any depth, by name.

    Hidden files, pipes, devices, links to folders, and folders that a system keeps for itself are skipped.

    Whether a file is an image is decided when it is opened.
    In keys, bytes that are not UTF-8 stand as in a URL, `caf%E9.png`, and `%` itself as `%25`.
    """

    settings: FolderSource
    left_out: files.LeftOut

    def __init__(self, settings: FolderSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.left_out = files.LeftOut()
        self.root, self.paths = files.find(settings)
        if self.paths[1:] == [] and not files.is_folder(self.paths[0]):
            raise UsageError(f"sources.path: kind folder expects a folder, found the file {self.paths[0]}")

    def digest(self) -> str:
        """Return the sha256 over every file's name, content and label."""
        total = hashlib.sha256()
        keys, same_keys = tee(self.names())
        for key, sha256 in zip(keys, files.digests(map(self._path, same_keys)), strict=True):
            total.update(f"{key}\0{sha256}\0{self._folder_in(key)}\n".encode())
        return total.hexdigest()

    def _folder_in(self, key: str) -> str | None:
        """Return the first or last folder, which the digest has always covered; without it, all older Examples are stale."""
        folders = key.split("/")[:-1]
        if self.settings.label == "none" or not folders:
            return None
        return folders[0] if self.settings.label == "first_folder" else folders[-1]

    def names(self) -> Iterator[str]:
        """Yield the names of all files, by folder and name; `left_out` then says what was skipped."""
        self.left_out.clear()
        for top in self.paths:
            for path in files.walk(top, left_out=self.left_out) if files.is_folder(top) else [top]:
                key = files.quote(files.name_in(self.root, path).replace(os.sep, "/"))
                if reason := self.why_left_out(key):
                    self.left_out.add(reason, path)
                elif is_contact_sheet(path, files.is_file):
                    self.left_out.add("the contact sheet of a generated set", path)
                else:
                    yield key

    def _path(self, key: str) -> str:
        return files.path_in(self.root, files.unquote(key))

    def read(self, place: str) -> bytes:
        """Return a file's bytes."""
        return self.start(place, size=self.preprocess.max_bytes + 1)

    def start(self, key: str, *, size: int) -> bytes:
        """Return a file's first bytes."""
        with files.open_file(self._path(key)) as file:
            return file.read(size)
