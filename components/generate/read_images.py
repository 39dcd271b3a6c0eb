"""Reading of a set's images, in any format."""

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
    """Read the images of rows of `schemas.artifacts.tables.GENERATED`; `shape` is (height, width, channels)."""
    contents: dict[str, dict[int, bytes]] = {}
    images: list[Image.Image] = []
    for row in rows:
        name = row["file_name"]
        if name.endswith((".png", ".webp")):
            images.append(Image.open(io.BytesIO((artifact / name).read_bytes())))
            continue
        if name not in contents:
            contents[name] = _read_file(artifact / name, indices=[row["index"] for row in rows])
        content = contents[name][row["index"]]
        if name.endswith((".parquet", ".tar")):
            images.append(Image.open(io.BytesIO(content)))
        else:
            pixels = np.frombuffer(content, np.uint8).reshape(shape)
            images.append(Image.fromarray(pixels[:, :, 0] if shape[2] == 1 else pixels))
    return images


def _read_file(path: Path, *, indices: list[int]) -> dict[int, bytes]:
    """Return contents by index: the bytes of an image file, or raw pixels.

    An array's rows have no index: these are its first rows.
    """
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=["image", "index"], filters=[("index", "in", set(indices))])
        return {item["index"]: item["image"]["bytes"] for item in table.to_pylist()}
    if path.suffix == ".npy":
        array = np.load(path, mmap_mode="r")
        return {index: array[row].tobytes() for row, index in enumerate(indices)}
    contents: dict[int, bytes] = {}
    if path.suffix == ".tar":
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".png") and (index := int(member.name.removesuffix(".png"))) in indices:
                    file = tar.extractfile(member)
                    contents[index] = file.read() if file else b""
        return contents
    for record in read_records(path):
        pixels, key, _ = decode_example(record)
        if int(key) in indices:
            assert isinstance(pixels, bytes)  # generate writes raw pixels, not normalised values
            contents[int(key)] = pixels
    return contents
