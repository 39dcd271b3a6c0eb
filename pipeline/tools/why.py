"""Where an image of a set comes from, back to the images that its model was trained on; and the proof: it is made again."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.reporting.console import console
from pipeline.tools.small_set import make_set
from schemas.artifacts.kinds import Examples, Generator, ImageSet, Model
from schemas.artifacts.manifest import MANIFEST, Artifact
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import BLOCK, CODE_SOURCES

SHOWN = 12  # digits of a digest on the screen
OWN_FILES = (".png", ".webp")  # formats in which an image is a file


def why(image: Path, *, index: int | None) -> None:
    """Prints an image's lineage, and makes it again.

    Args:
        image: The image's file within a set; or the set's folder, or a file of it that holds many images, with `index`.
        index: Of the image.

    Raises:
        UsageError: It is not part of a set, or `index` is missing or names no image of it.
        DataError: The image is not what its row says, or comes out otherwise now.
        StageFailed: TensorFlow's process ended without an image.
    """
    images = _set_of(image)
    row = _row(images, image, index=index)
    wanted = images.manifest.settings["generate"]
    _line("image", f"{images.path / row['file_name']}, number {row['index']}")
    if row["file_name"].endswith(OWN_FILES):
        _check_bytes(images.path / row["file_name"], row["sha256"])
    label = f", label {row['label']}" if row["label"] is not None else ""
    warmth = f", temperature {wanted['temperature']:g}" if wanted["temperature"] != 1 else ""
    origin = row["sampler"] if row["source"] is None else f"{row['sampler']}: {row['source']}"
    _line("made", f"as image {row['index']} of seed {row['seed']}{label}, code from {origin}{warmth}")
    generator = _parents(images)
    if generator is None:
        raise DataError(f"{image}: expected the generator that made it beside its set, to make it again, found none")
    generator.check(thorough=True)
    found = _made_again(generator, images, row)
    if found != row["sha256"]:
        raise DataError(
            f"{image}: expected sha256 {row['sha256'][:SHOWN]}… when it is made again, found {found[:SHOWN]}…; another "
            "processor or other versions may round a pixel differently"
        )
    _line("again", f"the same bytes, sha256 {found}")


def _set_of(image: Path) -> ImageSet:
    """The set that a file or folder belongs to."""
    path = image.resolve()
    for folder in (path, *path.parents):
        if (folder / MANIFEST).is_file():
            images = ImageSet(folder)
            _ = images.manifest  # or it is a set of nothing
            return images
    raise UsageError(
        f"{image}: expected an image within a set of `make generate`, found no {MANIFEST} in any folder above it"
    )


def _row(images: ImageSet, image: Path, *, index: int | None) -> dict[str, Any]:
    within = image.resolve().relative_to(images.path.resolve()).as_posix()
    own = within.endswith(OWN_FILES)
    if not own and index is None:
        raise UsageError(f"{image}: expected --index, which says what image of it is meant, found none")
    wanted = [("file_name", "==", within)] if own else [("index", "==", index)]
    rows: list[dict[str, Any]] = pq.read_table(images.metadata_path, filters=wanted).to_pylist()
    if not rows:
        raise UsageError(
            f"{image}: expected an image of {images.path}, found none" + ("" if own else f" numbered {index}")
        )
    return rows[0]


def _check_bytes(path: Path, expected: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataError(
            f"{path}: expected sha256 {expected[:SHOWN]}…, found {found[:SHOWN]}…: it was changed after it was made"
        )


def _parents(images: ImageSet) -> Generator | None:
    """Prints what the set was made from, as far as it is there; returns the generator, if that is the one."""
    home = images.path.resolve().parent.parent
    manifest, generator = images.manifest, None
    for kind, name in ((Generator, "generator"), (Model, "model"), (Examples, "examples")):
        digest = manifest.inputs[kind.TYPE]
        artifact: Artifact = kind(home / name)
        if not artifact.exists or artifact.digest != digest:
            there = "not there any more" if not artifact.exists else f"now there: {artifact.digest[:SHOWN]}…"
            _line(kind.TYPE, f"{digest}  ({artifact.path}: {there})")
            break
        manifest = artifact.manifest
        counts = ", ".join(f"{count:,} {key.replace('_', ' ')}" for key, count in manifest.counts.items())
        _line(kind.TYPE, f"{digest}  {artifact.path}  ({counts})")
        if isinstance(artifact, Generator):
            generator = artifact
    else:
        kinds = ", ".join(sorted({source["kind"] for source in manifest.settings["sources"]}))
        _line("sources", f"{kinds}; each image's sha256 is in {home / 'examples' / 'images.parquet'}")
    return generator


def _made_again(generator: Generator, images: ImageSet, row: dict[str, Any]) -> str:
    """Sha256 of the image, made alone from the settings of its set; where its code was given, from that."""
    index = row["index"]
    settings = images.manifest.settings["generate"] | {
        "indices": str(index),
        "label_folders": False,
        "shards": None,
        "drop_near_copies": False,
        "drop_unlikely": 0.0,
        "name": None,
    }
    with tempfile.TemporaryDirectory() as folder:
        if any(settings.get(kind) is not None for kind in CODE_SOURCES):
            place = index % BLOCK  # where it was among those that were decoded together
            path = Path(folder, "codes.parquet")
            labels = pa.array([row["label"]] * (place + 1), pa.string())
            pq.write_table(pa.table({"code": [row["code"]] * (place + 1), "label": labels}), path)
            settings |= {**dict.fromkeys(CODE_SOURCES), "codes": str(path), "indices": str(place), "label": None}
        made = make_set(generator, settings, folder=Path(folder), command="why")
        sha256: str = pq.read_table(made.metadata_path)["sha256"][0].as_py()
    return sha256


def _line(name: str, text: str) -> None:
    console.print(f"{name:<10}{text}", markup=False)
