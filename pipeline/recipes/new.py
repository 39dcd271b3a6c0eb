"""Writes a recipe for a person's own images, after a look at them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter

from components.images.colour import is_grey
from components.images.decode import decode
from components.images.rejected import Rejected, require_image
from components.sources import FileNames, Item, RawImage, ReadError, Source, open_source
from components.sources.annotations import SPLIT_WORDS
from components.sources.base import named_item
from components.sources.webdataset import holds_samples
from pipeline.recipes.load import FOLDER
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.recipe import Recipe
from schemas.recipe.sources import ImageFiles
from schemas.recipe.sources import Source as SourceSettings

SAMPLE = 64  # images that are looked at, evenly over the source
SIZES = (32, 64, 128)  # that a laptop can train on
KINDS = {  # of source, by a file's suffix; other files are IDX files
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


def new_recipe(name: str, source: str) -> Path:
    """Write ``recipes/<name>.yaml``; return its path.

    Raises:
        UsageError: The name exists or is not valid, or the source has no image that can be used.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise UsageError(f"NAME={name}: expected lower-case letters, digits, - and _, found other characters")
    path = FOLDER / f"{name}.yaml"
    if path.exists():
        raise UsageError(f"NAME={name}: expected a new name, found {path}; remove it, or set another NAME")
    kind = _kind(Path(source).expanduser())
    items, count, images = _sample_images(open_source(kind))
    if not images:
        raise UsageError(f"SOURCE={source}: expected images, found none that can be used in {count:,} files")
    if isinstance(kind, ImageFiles):
        kind = kind.model_copy(update=_settings_from_folders([item.key for item in items]))
        items = [named_item(item.key, kind, place=None) for item in items]
    data = _recipe(name, kind, images, count=count)
    Recipe.model_validate(data)
    path.write_text(_text(data, images, files=count, labels=len({item.label for item in items} - {None})))
    return path


def _settings_from_folders(keys: list[str]) -> dict[str, object]:
    """Take folders beside each other as labels, or as splits that contain folders of labels.

    Returns:
        The settings `label` and `test` of `schemas.recipe.sources.ImageFiles`.
    """
    folders = {key.split("/")[0] for key in keys if "/" in key}
    splits = {folder: SPLIT_WORDS.get(folder.lower()) for folder in folders}
    if len(folders) < 2 or not all(splits.values()):
        return {"label": "first_folder" if len(folders) > 1 else "none"}
    held_out = sorted(folder for folder, split in splits.items() if split == "test") or sorted(
        folder for folder, split in splits.items() if split == "validation"
    )
    inside = {key.split("/")[-2] for key in keys if key.count("/") > 1}
    label = "last_folder" if len(inside) > 1 else "none"
    return {"label": label, "test": tuple(f"{folder}/*" for folder in held_out)}


def _kind(path: Path) -> SourceSettings:
    """Return the kind of source that a path looks like."""
    name = re.sub(r"\.tar\.\w+$", ".tar", path.name.lower())
    kind = KINDS.get(Path(name).suffix, "idx") if path.is_file() else "folder"
    archives = sorted(path.glob("*.tar")) if path.is_dir() else [path] if kind == "tar" else []
    if archives and holds_samples(str(archives[0])):
        kind = "webdataset"
    elif path.is_dir() and any(path.glob("*images*idx3*")):
        kind = "idx"
    elif path.is_dir() and any(path.rglob("*.parquet")):
        kind = "parquet"
    settings: SourceSettings = TypeAdapter(SourceSettings).validate_python({"kind": kind, "path": str(path)})
    return settings


def _sample_images(source: Source) -> tuple[list[Item], int, list[np.ndarray]]:
    """Return the source's items, their number, and a sample of decoded images, evenly over all if each can be read alone."""
    if isinstance(source, FileNames):
        items = list(source.items())
        keys = [item.key for item in items[:: max(1, len(items) // SAMPLE)][:SAMPLE]]
        return items, len(items), _decoded(raw for _, raw in source.images(keys))
    # A source that can only be read from front to back is not read to its end.
    parts = list(source.parts())
    items_and_bytes = list(islice(chain.from_iterable(source.images(part.names) for part in parts), 20 * SAMPLE))
    count = len(items_and_bytes)
    if count == 20 * SAMPLE:
        count = max(count, sum(part.images for part in parts))
    chosen = items_and_bytes[:: max(1, len(items_and_bytes) // SAMPLE)][:SAMPLE]
    return [item for item, _ in items_and_bytes], count, _decoded(raw for _, raw in chosen)


def _decoded(raws: Iterable[RawImage | OSError | ReadError]) -> list[np.ndarray]:
    images = []
    for raw in raws:
        try:
            images.append(decode(require_image(raw), PreprocessSettings(channels=3)))
        except Rejected:
            continue
    return images


def _recipe(name: str, source: SourceSettings, images: list[np.ndarray], *, count: int) -> dict[str, Any]:
    smaller_side = median(min(image.shape[:2]) for image in images)
    if all(image.shape[:2] == (28, 28) for image in images):
        size = 28
    else:
        size = max((choice for choice in SIZES if choice <= smaller_side), default=SIZES[0])
    grey = all(map(is_grey, images))
    depth = {28: 2, 32: 3, 64: 4, 128: 5}[size]  # down to 7, 4, 4, 4 pixels
    filters = [min(32 * 2**layer, 128) for layer in range(depth)]
    return {
        "name": name,
        "title": f"{Path(getattr(source, 'path', '') or name).name}, {count:,} files",
        "sources": [source.model_dump(mode="json", exclude_defaults=True)],
        "preprocess": {"height": size, "width": size, "channels": 1 if grey else 3, "validation": 0.1, "test": 0.1},
        "model": {
            "network": "conv",
            "latent_dim": 16 if size <= 32 else 64,
            "encoder": [[width, 2] for width in filters],
            "decoder": [[width, 2] for width in reversed(filters)],
            "base_filters": filters[-1],
            "batch_norm": "before",
            "activation": "leaky_relu",
        },
        "loss": {"likelihood": "bernoulli"},
        "train": {"epochs": 50, "batch_size": 64, "learning_rate": 0.001, "patience": 10},
        "tune": {
            "max_trials": 6,
            "epochs": 2,
            "max_images": 5000,
            "space": {
                "model.latent_dim": [8, 16, 32] if size <= 32 else [32, 64, 128],
                "train.learning_rate": {"low": 0.0003, "high": 0.003, "log": True},
            },
        },
        "generate": {"count": 1000},
    }


def _text(data: dict[str, Any], images: list[np.ndarray], *, files: int, labels: int) -> str:
    """Return the recipe's text, with comments that say what was found and why each setting has its value."""
    heights, widths = [image.shape[0] for image in images], [image.shape[1] for image in images]
    size, grey = data["preprocess"]["height"], data["preprocess"]["channels"] == 1
    strides = len(data["model"]["encoder"])
    smaller = sum(min(image.shape[:2]) < size for image in images)
    lines = [
        "# yaml-language-server: $schema=recipe.schema.json",
        f"# Written after reading {len(images)} of {files:,} files: {min(widths)}–{max(widths)} pixels wide, "
        f"{min(heights)}–{max(heights)} high, {labels or 'no'} labels.",
        f"# height, width: {size}, "
        + (
            "the size of all images."
            if size == 28
            else "the largest of 32, 64 and 128 that does not enlarge most images"
        )
        + ("" if size == 28 else f" ({smaller} of {len(images)} are smaller)."),
        f"# channels: {1 if grey else 3}, because {'no image has' if grey else 'at least one image has'} colour.",
        f"# encoder, decoder: {strides} strides of 2, down to a map of {size >> strides}×{size >> strides} before the "
        "latent space.",
        "# latent_dim: a first value; tune searches the values below. validation, test: a tenth of the images each.",
    ]
    source = data["sources"][0]
    if source.get("label") in ("first_folder", "last_folder"):
        lines.append("# label: the names of the folders.")
    if source.get("test"):
        lines.append("# test: the images of that folder. A share of the others is taken for validation.")
    return "\n".join(lines) + "\n" + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None)
