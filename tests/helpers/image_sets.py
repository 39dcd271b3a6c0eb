"""Sets of images as `generate` writes them, without a network. No test is here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components.generate.plan import folders_of, plan_files
from components.generate.writers import ArrayFile, Block, Target, make_writer
from schemas.artifacts import tables

COUNT = 100  # two blocks, in files of one
LABELS: list[str | None] = [("cat", "dog", "bird")[n % 3] for n in range(COUNT)]


def write_set(
    folder: Path,
    format: str,
    *,
    shape: tuple[int, int, int] = (8, 10, 3),
    labels: list[str | None] = LABELS,
    file_blocks: int = 1,
    label_folders: bool = False,
) -> np.ndarray[Any, Any]:
    """Write a set as `generate` does, with table and manifest but without a network; return its pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, *shape), np.uint8)
    folder.mkdir(parents=True)
    (folder / "data").mkdir()
    units = plan_files(range(COUNT), image_bytes=2**26 // 64 // file_blocks)
    folders = folders_of(sorted({label for label in labels if label})) if label_folders else None
    target, rows = Target(folder, COUNT, folders), []
    if format == "npy":
        ArrayFile.prepare(target, shape)
    for unit in units:
        writer = make_writer(format, target, unit)
        for part in unit.parts:
            numbers = [-1 if labels[n] is None else n % 3 for n in part.indices]
            block = Block(
                part.indices,
                pixels[part.indices],
                np.zeros((1, 1), np.float32),
                [labels[n] for n in part.indices],
                numbers,
            )
            names, digests = writer.add(block)
            for index, name, digest in zip(part.indices, names, digests, strict=True):
                fixed = {"seed": 0, "sampler": "normal", "source": None, "code": [0.5], "model": "m"}
                rows.append({"file_name": name, "index": index, "label": labels[index], "sha256": digest, **fixed})
        writer.close()
    tables.write_table(folder / "metadata.parquet", rows, tables.GENERATED)
    Image.new("RGB", (64, 64)).save(folder / "contact_sheet.png")
    preprocess = dict(zip(("height", "width", "channels"), shape, strict=True))
    manifest = {"type": "ImageSet", "recipe": {"preprocess": preprocess}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return pixels
