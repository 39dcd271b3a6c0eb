"""Finds out what kind of source a path is, from names and first bytes."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

from pydantic import TypeAdapter

from components.sources import files
from components.sources.base import is_contact_sheet
from components.sources.endings import ending_of, is_image
from components.sources.git_lfs import POINTER, is_pointer_at
from components.sources.image_set import kind_of_set
from components.sources.parquet import Parquet
from components.sources.parquet_columns import holds_images, images_in
from components.sources.webdataset_samples import holds_samples
from schemas.errors import DataError, UsageError
from schemas.paths import user_path
from schemas.recipe.sources import Source as SourceSettings

MOST = 100_000  # names of a folder that are looked at
KINDS = {  # of source, by a file's ending
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "tar",
    ".tbz2": "tar",
    ".txz": "tar",
    ".parquet": "parquet",
    ".npy": "array",
    ".npz": "array",
    ".csv": "table",
    ".tsv": "table",
    ".jsonl": "table",
}
ARCHIVES = (".zip", ".tar", ".npy", ".npz", ".7z", ".rar", ".h5", ".hdf5")  # that could hold images, beside images
TABLES = (".csv", ".tsv", ".jsonl")
OWN_ENDINGS = {"zip": (".zip",), "tar": (".tar",), "webdataset": (".tar",), "array": (".npy", ".npz")}
COLUMNS = {
    "parquet": ("image", "label"),
    "table": ("image", "label"),
    "array": ("images", "labels"),
}  # of images and labels
STARTS = {  # first bytes of files whose endings say nothing
    b"PK\x03\x04": "zip",
    b"PAR1": "parquet",
    b"\x93NUMPY": "array",
    b"\0\0\x08": "idx",
}
UNREADABLE = {  # kinds of file that people keep images in, with what can be done
    ".h5": "HDF5: write its arrays as .npy or .npz",
    ".hdf5": "HDF5: write its arrays as .npy or .npz",
    ".mat": "MATLAB: write its arrays as .npy or .npz",
    ".pkl": "a pickle, which is a program: write its arrays as .npy or .npz",
    ".pickle": "a pickle, which is a program: write its arrays as .npy or .npz",
    ".pt": "PyTorch's pickle, which is a program: write its arrays as .npy or .npz",
    ".pth": "PyTorch's pickle, which is a program: write its arrays as .npy or .npz",
    ".7z": "7-Zip: unpack it, or pack it as .zip",
    ".rar": "RAR: unpack it, or pack it as .zip",
    ".tfrecord": "TFRecord: write its images as files, or as Parquet",
    ".tfrecords": "TFRecord: write its images as files, or as Parquet",
    ".arrow": "Arrow: write it as .parquet",
    ".feather": "Arrow: write it as .parquet",
    ".mdb": "LMDB: write its images as files, or as Parquet",
    ".mp4": "a film: write its frames as files",
    ".mov": "a film: write its frames as files",
    ".avi": "a film: write its frames as files",
    ".json": "JSON: a table of paths has to be .csv, .tsv, .jsonl or .parquet",
}


def source_at(path: str, *, image: str | None = None, label: str | None = None) -> SourceSettings:
    """Return the settings of the source that a path looks like.

    Args:
        path: A file, a folder, or a pattern for several.
        image: Name of the column of images, of a table or Parquet, or of the array.
        label: Name of the column, or of the array, of labels.

    Raises:
        UsageError: Nothing is there, or nothing that can be read.
    """
    path = path if files.is_remote(path) else str(user_path(path))
    _, paths = files.find(SimpleNamespace(path=path, kind=""))
    if len(paths) == 1:
        kind, path = _folder(paths[0]) if files.is_folder(paths[0]) else (_file(paths[0]), path)
    else:
        kind = _several(path, paths)
    keys = COLUMNS.get(kind, ())
    columns = {key: value for key, value in zip(keys, (image, label), strict=False) if value is not None}
    if not keys and (image or label):
        raise UsageError(
            f"--{'image' if image else 'label'}-column: expected a table, Parquet or arrays, found the kind {kind} at {path}"
        )
    settings: SourceSettings = TypeAdapter(SourceSettings).validate_python({"kind": kind, "path": path, **columns})
    return settings


def not_read(settings: SourceSettings, path: str) -> list[str]:
    """Return sentences about what a person's folder holds besides the source, which is not read.

    Args:
        settings: The source that the folder was taken for.
        path: The folder, as the person gave it.
    """
    path = path if files.is_remote(path) else str(user_path(path))
    if not files.is_folder(path):
        return []
    inside = [name for name in islice(files.walk(path), MOST) if not is_contact_sheet(name, files.is_file)]
    own = OWN_ENDINGS.get(settings.kind, ())
    others = [name for name in inside if _ending(name) in ARCHIVES and _ending(name) not in own]
    sentences = []
    if others:
        first = files.name_in(path, others[0])
        sentences.append(
            f"Not read: {len(others):,} archives or arrays beside, the first {first}; give it as SOURCE to use it."
        )
    images = [] if settings.kind == "folder" else list(filter(is_image, inside))
    if images:
        first = files.name_in(path, images[0])
        sentences.append(
            f"Not read: {len(images):,} image files beside, the first {first}; sources.kind=folder takes them instead."
        )
    tables = (
        [name for name in inside if ending_of(name) in TABLES] if settings.kind in ("zip", "tar", "webdataset") else []
    )
    if tables:
        first = files.name_in(path, tables[0])
        count = "1 table" if len(tables) == 1 else f"{len(tables):,} tables"
        sentences.append(
            f"Not read: {count} beside, the first {first}; if they say labels or splits, put them into the "
            "archive, or unpack it and give the folder."
        )
    return sentences


def _file(path: str) -> str:
    ending = _ending(path)
    if is_pointer_at(path):
        raise UsageError(f"SOURCE={path}: expected a folder, an archive, a table or arrays of images, found {POINTER}")
    if ending == ".tar" and holds_samples(path):
        return "webdataset"
    if ending in KINDS:
        return KINDS[ending]
    if ending == ".tfrecord" and kind_of_set(os.path.dirname(os.path.dirname(path))) == "tfrecord":
        return "tfrecord"
    if is_image(path):
        raise UsageError(f"SOURCE={path}: expected a folder or an archive of images, found one image; give its folder")
    with files.open_file(path) as file:
        start = file.read(8)
    kind = next((kind for magic, kind in STARTS.items() if start.startswith(magic)), None)
    if kind is None and "idx" in os.path.basename(path):
        kind = "idx"
    if kind is None:
        what = UNREADABLE.get(ending, "a file of an unknown kind")
        raise UsageError(f"SOURCE={path}: expected a folder, an archive, a table or arrays of images, found {what}")
    return kind


def _several(path: str, paths: list[str]) -> str:
    if any(map(files.is_folder, paths)) or all(map(is_image, paths)):
        return "folder"
    kinds = {_file(each) for each in paths[:8]}
    if len(kinds) > 1:
        raise UsageError(f"SOURCE={path}: expected files of one kind, found {' and '.join(sorted(kinds))}")
    return kinds.pop()


def _folder(path: str) -> tuple[str, str]:
    """Return the kind of a folder, and the path or pattern of its source."""
    if kind := kind_of_set(path):
        return kind, path
    names = {os.path.basename(name) for name in islice(_children(path), 100)}
    if {"blobs", "snapshots"} <= names:
        raise UsageError(
            f"SOURCE={path}: expected images, found the cache of Hugging Face's hub; give one folder of {path}/snapshots"
        )
    inside = list(islice(files.walk(path), MOST))
    endings = Counter(map(_ending, inside))
    images = sum(is_image(name) and not is_contact_sheet(name, files.is_file) for name in inside)
    tars = [name for name in inside if _ending(name) == ".tar"]
    if tars and not images and _holds_samples(tars[0]):
        return "webdataset", path
    if any("images" in (name := os.path.basename(each)) and "idx3" in name for each in inside):
        return "idx", path
    if images:
        return _fuller(path, inside, endings, images=images), path
    if endings[".parquet"]:
        if _images_in(path, "parquet", elsewhere=True) is not None:
            return "parquet", path
        _refuse_broken_shard(inside, images=-1 if len(endings) == 1 else 0)
    if endings[".npy"] or endings[".npz"]:
        return "array", path
    archives = {kind: [name for name in inside if _ending(name) == f".{kind}"] for kind in ("zip", "tar")}
    kind = max(archives, key=lambda kind: len(archives[kind]))
    if not archives[kind]:
        return "folder", path
    return kind, archives[kind][0] if len(archives[kind]) == 1 else _pattern(path, archives[kind])


def _pattern(path: str, archives: list[str]) -> str:
    """Return a pattern for archives below a folder, whose endings may differ: ``.tar``, ``.tar.gz``, ``.TGZ``."""
    endings = sorted({re.search(r"(\.tar)?\.\w+$", name, re.IGNORECASE)[0] for name in archives})  # type: ignore[index]
    ending = endings[0] if len(endings) == 1 else f"{{{','.join(endings)}}}"
    return f"{glob.escape(path).rstrip('/')}/**/*{ending}"


def _fuller(path: str, inside: list[str], endings: Counter[str], *, images: int) -> str:
    """Return the kind of a folder of images: that of files beside them which hold more, such as a data set and its thumbnail."""
    for kind, its_endings in (("parquet", (".parquet",)), ("array", (".npy", ".npz"))):
        if any(endings[ending] for ending in its_endings):
            count = _images_in(path, kind, elsewhere=False)
            if count is not None and count > images:
                return kind
            if count is None and kind == "parquet":
                _refuse_broken_shard(inside, images=images)
    return "folder"


def _refuse_broken_shard(paths: list[str], *, images: int) -> None:
    """Refuse Parquet files of which one is broken, if the others hold images: it would hide them all.

    Args:
        paths: All files of a folder.
        images: How many images the folder's other files hold; −1: there are no other files.

    Raises:
        DataError: One is broken, and the others hold more images than that; it names the first.
    """
    broken: DataError | None = None
    rows = 0
    for path in paths:
        if _ending(path) == ".parquet":
            try:
                rows += images_in(path)
            except DataError as error:
                broken = broken or error
    if broken and rows > images:
        raise broken


def _images_in(path: str, kind: str, *, elsewhere: bool) -> int | None:
    """Return the number of images that the files of a kind hold, below a folder; None if they cannot be read as this kind.

    Args:
        path: The folder.
        kind: Of source.
        elsewhere: Whether Parquet files may hold the paths of images; otherwise these are tables beside the images.
    """
    from components.sources import open_source

    settings: Any = TypeAdapter(SourceSettings).validate_python({"kind": kind, "path": path})
    try:
        source = open_source(settings)
        if isinstance(source, Parquet) and not elsewhere and not all(map(holds_images, source.files)):
            return None
        return sum(part.images for part in source.parts())
    except (UsageError, DataError):
        return None


def _holds_samples(path: str) -> bool:
    try:
        return holds_samples(path)
    except DataError:
        return False  # broken; ingest says so


def _children(path: str) -> Iterator[str]:
    if not files.is_remote(path):
        yield from os.listdir(path)


def _ending(path: str) -> str:
    """Return a file's ending in small letters; that of `a.tar.gz` is `.tar`."""
    ending = ending_of(path)
    return (
        ".tar"
        if ending_of(path[: len(path) - len(ending)]) == ".tar" or ending in (".tgz", ".tbz2", ".txz")
        else ending
    )
