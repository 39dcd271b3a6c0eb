"""Images of a set, from whichever format they are in."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from schemas.artifacts.records import decode_example, read_records


def read_images(artifact: Path, rows: list[dict[str, Any]], *, shape: tuple[int, int, int]) -> list[Image.Image]:
    """The images of some rows of `schemas.artifacts.tables.GENERATED`, of `shape` (height, width, channels)."""
    opened: dict[str, dict[int, Any]] = {}
    found = []
    for row in rows:
        name = row["file_name"]
        if name.endswith((".png", ".webp")):
            found.append(Image.open(io.BytesIO((artifact / name).read_bytes())))
            continue
        if name not in opened:
            opened[name] = _read_file(artifact / name, wanted=[row["index"] for row in rows])
        content = opened[name][row["index"]]
        if name.endswith((".parquet", ".tar")):
            found.append(Image.open(io.BytesIO(content)))
        else:
            pixels = np.frombuffer(content, np.uint8).reshape(shape)
            found.append(Image.fromarray(pixels[:, :, 0] if shape[2] == 1 else pixels))
    return found


def _read_file(path: Path, *, wanted: list[int]) -> dict[int, Any]:
    """Contents by index: an image file's bytes, or raw pixels; of an array, whose rows have no index, the first so many."""
    some = set(wanted)
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=["image", "index"], filters=[("index", "in", some)])
        return {item["index"]: item["image"]["bytes"] for item in table.to_pylist()}
    if path.suffix == ".npy":
        array = np.load(path, mmap_mode="r")
        return {index: array[row].tobytes() for row, index in enumerate(wanted)}
    found = {}
    if path.suffix == ".tar":
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".png") and (index := int(member.name.removesuffix(".png"))) in some:
                    file = tar.extractfile(member)
                    found[index] = file.read() if file else b""
        return found
    for record in read_records(path):
        pixels, key, _ = decode_example(record)
        if int(key) in some:
            found[int(key)] = pixels
    return found
