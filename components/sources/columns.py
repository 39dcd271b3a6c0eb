"""Columns of tables, known by their usual names in any spelling: `file_name`, `File Name` and `filename` are one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

PATHS = (  # of image files, the first one that a table has
    "path",
    "filename",
    "filepath",
    "image",
    "imagepath",
    "imagefile",
    "imagefilename",
    "imagename",
    "img",
    "imgpath",
    "imgname",
    "file",
)
LABELS = (
    "label",
    "labels",
    "class",
    "classname",
    "classlabel",
    "labelname",
    "category",
    "target",
    "finelabel",
)
SPLITS = ("split", "set", "subset", "partition")
ENOUGH = 10  # values, of which it can be said whether they repeat


def plain(name: str) -> str:
    """Return a column's name without its spelling: ``filename`` for ``File_Name``."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def named(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the columns with one of these plain names, in the order of the names."""
    columns = list(columns)
    return [column for name in names for column in columns if plain(column) == name]


def column_of_setting(setting: str, columns: Iterable[str]) -> str | None:
    """Return the column that a setting names, exactly or in another spelling."""
    columns = list(columns)
    return setting if setting in columns else next(iter(named(columns, (plain(setting),))), None)


def nearly_all_differ(distinct: int, *, values: int) -> bool:
    """Return whether a column's values are too different to be labels, as captions are."""
    return values >= ENOUGH and distinct > values / 2
