"""Shows where an image of a set comes from, back to the training images, and makes it again as proof."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from components.reporting.console import console
from pipeline.core.contents import contents
from pipeline.core.trust import expect_trusted
from pipeline.tools.small_set import make_set
from schemas.artifacts.kinds import Examples, Generator, ImageSet, Model
from schemas.artifacts.manifest import MANIFEST, Artifact
from schemas.artifacts.tables import find_generated
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import BLOCK, CODE_SOURCES, GenerateSection

SHOWN = 12  # digits of a digest on the screen
IMAGE_SUFFIXES = (".png", ".webp")  # of the formats in which each image is a file


def why(image: Path, *, index: int | None, trust: bool = False) -> None:
    """Print an image's lineage, and make the image again.

    Args:
        image: The image's file in a set; or, with `index`, the set's folder or a file of many images in it.
        index: Index of the image.
        trust: Load the set's generator, even if this machine did not make it.

    Raises:
        UsageError: The path is not part of a set, `index` is missing, the set has no such image, or the generator is not trusted.
        DataError: The set is broken, the file was changed, or the image that is made now differs.
        StageFailed: The generate stage ended without an image.
    """
    images = _set_of(image)
    row = _row(images, image, index=index)
    settings = _settings(images)
    _line("image", f"{images.path / row['file_name']}, number {row['index']}")
    if row["file_name"].endswith(IMAGE_SUFFIXES):
        _check_bytes(_own_file(images, images.path / row["file_name"]), row["sha256"])
    label = f", label {row['label']}" if row["label"] is not None else ""
    temperature = f", temperature {settings.temperature:g}" if settings.temperature != 1 else ""
    origin = row["sampler"] if row["source"] is None else f"{row['sampler']}: {row['source']}"
    _line("made", f"as image {row['index']} of seed {row['seed']}{label}, code from {origin}{temperature}")
    generator = _parents(images)
    if generator is None:
        raise DataError(
            f"{image}: expected the generator that made it beside its set, found none; without it the image cannot be made again"
        )
    generator.check(thorough=True)
    expect_trusted(generator, trust=trust)
    sha256 = _remake(generator, settings, row)
    if sha256 != row["sha256"]:
        raise DataError(
            f"{image}: expected sha256 {row['sha256'][:SHOWN]}… of the image made again, found {sha256[:SHOWN]}…; another "
            "processor or other versions may round a pixel differently"
        )
    _line("again", f"the same bytes, sha256 {sha256}")


def _set_of(image: Path) -> ImageSet:
    """Return the set that a file or folder belongs to."""
    path = image.resolve()
    for folder in (path, *path.parents):
        if (folder / MANIFEST).is_file():
            images = ImageSet(folder)
            _ = images.manifest  # which raises if the artifact is no ImageSet
            return images
    raise UsageError(
        f"{image}: expected an image in a set of `make generate`, found no {MANIFEST} in a folder above it"
    )


def _row(images: ImageSet, image: Path, *, index: int | None) -> dict[str, Any]:
    """Return the image's row of the set's table."""
    name = image.resolve().relative_to(images.path.resolve()).as_posix()
    is_image_file = name.endswith(IMAGE_SUFFIXES)
    column, value = ("file_name", name) if is_image_file else ("index", index)
    if is_image_file and index is not None:
        raise UsageError(
            f"--index: expected none with the file of one image, found {index}; or name its set: {images.path}"
        )
    if value is None:
        raise UsageError(f"{image}: expected --index, the index of one of its images, found none")
    table = _own_file(images, images.metadata_path)
    try:
        row = find_generated(table, column, value)
    except (OSError, ValueError, OverflowError) as error:  # OverflowError: an index of more than 64 bits
        raise DataError(
            f"{images.metadata_path}: expected the table of a set's images, found something else ({_first_line(error)})"
        ) from None
    if row is None:
        number = "" if is_image_file else f" with index {index}"
        raise UsageError(f"{image}: expected an image of {images.path}, found none{number}")
    return row


def _settings(images: ImageSet) -> GenerateSection:
    """Return the settings with which a set was made."""
    try:
        return GenerateSection.model_validate(images.manifest.settings["generate"])
    except (KeyError, ValidationError) as error:
        raise DataError(
            f"{images.path / MANIFEST}: expected the settings of a set, found something else ({_first_line(error)})"
        ) from None


def _own_file(images: ImageSet, path: Path) -> Path:
    """Return the path if it is a file of the set: a name or a link in a stranger's set may lead to any other."""
    if not path.resolve().is_relative_to(images.path.resolve()) or not path.is_file():
        raise DataError(f"{path}: expected a file of the set {images.path}, found none")
    return path


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_bytes(path: Path, expected: str) -> None:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 != expected:
        raise DataError(
            f"{path}: expected sha256 {expected[:SHOWN]}…, found {sha256[:SHOWN]}…: the file was changed after it was made"
        )


def _parents(images: ImageSet) -> Generator | None:
    """Print the artifacts that the set was made from, as far as they exist; return the generator, if it is still the same."""
    run = images.path.resolve().parent.parent
    manifest, generator = images.manifest, None
    for kind, name in ((Generator, "generator"), (Model, "model"), (Examples, "examples")):
        digest = manifest.inputs.get(kind.TYPE, "")
        artifact: Artifact = kind(run / name)
        if not artifact.exists or artifact.digest != digest:
            state = f"now {artifact.digest[:SHOWN]}…" if artifact.exists else "does not exist any more"
            _line(kind.TYPE, f"{digest}  ({artifact.path}: {state})")
            break
        manifest = artifact.manifest
        _line(kind.TYPE, f"{digest}  {artifact.path}  ({contents(manifest)})")
        if start := manifest.inputs.get("start_from"):
            _line("started", f"from the weights of the model {start}")
        if isinstance(artifact, Generator):
            generator = artifact
    else:
        sources = manifest.settings.get("sources")
        kinds = ", ".join(sorted({source["kind"] for source in sources})) if sources else "unknown"
        _line("sources", f"{kinds}; each image's sha256 is in {run / 'examples' / 'images.parquet'}")
    return generator


def _remake(generator: Generator, section: GenerateSection, row: dict[str, Any]) -> str:
    """Make the image alone, from its set's settings, or from its code if that was not drawn; return its sha256."""
    index = row["index"]
    settings = section.model_dump() | {
        "indices": str(index),
        "label_folders": False,
        "shards": None,
        "drop_near_copies": False,
        "drop_unlikely": 0.0,
        "name": None,
    }
    with tempfile.TemporaryDirectory() as folder:
        if any(settings.get(kind) is not None for kind in CODE_SOURCES):
            place = index % BLOCK  # its place among the images that were decoded together
            path = Path(folder, "codes.parquet")
            labels = pa.array([row["label"]] * (place + 1), pa.string())
            pq.write_table(pa.table({"code": [row["code"]] * (place + 1), "label": labels}), path)
            settings |= {**dict.fromkeys(CODE_SOURCES), "codes": str(path), "indices": str(place), "label": None}
        image_set = make_set(generator, settings, folder=Path(folder), command="why")
        sha256: str = pq.read_table(image_set.metadata_path)["sha256"][0].as_py()
    return sha256


def _line(name: str, text: str) -> None:
    console.print(f"{name:<10}{text}", markup=False)
