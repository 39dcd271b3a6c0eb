"""Folders that a system or a tool keeps for itself beside a person's images: thumbnails, rubbish bins, resource forks."""

from __future__ import annotations

import re

REASON = "in a folder that the system keeps for itself"
_NAMES = frozenset({
    "__macosx", ".appledouble", ".fseventsd", ".spotlight-v100", ".temporaryitems", ".documentrevisions-v100",  # macOS
    ".trashes", ".trash", ".thumbnails", "lost+found",
    "$recycle.bin", "system volume information",  # Windows
    "@eadir", "#recycle", "#snapshot", "@recycle", ".@__thumb", "@__thumb", "@recently-snapshot",  # network storage
    ".ipynb_checkpoints", ".picasaoriginals",
})  # fmt: skip
_NUMBERED = re.compile(r"\.trash-\d+")  # of a user on another disk, by freedesktop.org's rules


def is_system_folder(name: str) -> bool:
    """Return whether a folder's name is one that a system uses, in any case."""
    name = name.lower()
    return name in _NAMES or _NUMBERED.fullmatch(name) is not None


def in_system_folder(name: str) -> bool:
    """Return whether a file's name, with its folders, is below such a folder."""
    return any(map(is_system_folder, name.split("/")[:-1]))
