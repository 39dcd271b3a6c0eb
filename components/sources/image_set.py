"""A set of images that `generate` wrote, as a source: its format, its table of labels, the shape of its images."""

from __future__ import annotations

import json
import os
from typing import Any

from components.sources import files
from schemas.artifacts.kinds import ImageSet
from schemas.artifacts.manifest import MANIFEST
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

TABLE = "metadata.parquet"
_KINDS = {".parquet": "parquet", ".tar": "webdataset", ".tfrecord": "tfrecord"}  # of files in the folder `data`
_ARRAY = "images.npy"


def kind_of_set(folder: str) -> str | None:
    """Return the kind of source that reads a set of files of many images; None for another folder, or a set of image files."""
    if _manifest(folder).get("type") != ImageSet.TYPE:
        return None
    if files.is_file(files.path_in(folder, _ARRAY)):
        return "array"
    data = files.path_in(folder, "data")
    endings = {os.path.splitext(path)[1] for path in files.walk(data)} if files.is_folder(data) else set()
    return next((kind for ending, kind in _KINDS.items() if ending in endings), None)


def labels_in_set(table: str, name: str) -> list[str | None]:
    """Return the labels of the images in one file of a set, in the file's order; none if the table does not name the file.

    Args:
        table: Path of the set's `metadata.parquet`.
        name: The file's name within the set.

    Raises:
        DataError: The table cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with files.open_file(table) as file:
            if not {"file_name", "label"} <= set(pq.read_schema(file).names):
                return []
            file.seek(0)
            rows = pq.read_table(file, columns=["label"], filters=[("file_name", "==", name)])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{table}: expected a table of images, found something else ({reason[:200]})") from None
    labels: list[str | None] = rows.column("label").to_pylist()
    return labels


def shape_in_set(folder: str, size: int) -> tuple[int, int, int] | None:
    """Return height, width and channels of a set's images, which have this number of bytes.

    The recipe in the set's manifest says it. Without one, images are taken for square. None if neither fits.
    """
    recipe = _manifest(folder).get("recipe")
    try:
        preprocess = PreprocessSettings.model_validate(recipe["preprocess"]) if isinstance(recipe, dict) else None
    except (ValueError, KeyError):
        preprocess = None
    if preprocess and preprocess.height * preprocess.width * preprocess.channels == size:
        return preprocess.height, preprocess.width, preprocess.channels
    for channels in (1, 3):
        side = round((size / channels) ** 0.5)
        if side and side * side * channels == size:
            return side, side, channels
    return None


def _manifest(folder: str) -> dict[str, Any]:
    path = files.path_in(folder, MANIFEST)
    try:
        with files.open_file(path) as file:
            manifest = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
