"""Small images, each another, as pixels and as files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PETS = ("bird", "cat", "dog")


def pixels(number: int, *, size: int = 28, colour: bool = False) -> NDArray[np.uint8]:
    """Return an image of noise with a bright block; every number another, and none near another."""
    rng = np.random.default_rng(number)
    image = rng.integers(0, 100, (size, size, 3 if colour else 1), np.uint8)
    top, left = rng.integers(0, size // 2, 2)
    image[top : top + size // 2, left : left + size // 2] += 120
    image[..., 0] //= 1 + number % 3 if colour else 1
    return image if colour else image[..., 0]


def file(image: NDArray[np.uint8], format: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format, **options)
    return stream.getvalue()


def png(number: int, **options: Any) -> bytes:
    """Return one of the images as a PNG file."""
    return file(pixels(number, **options))


def jpg(number: int, **options: Any) -> bytes:
    """Return one of the images as a JPEG file."""
    return file(pixels(number, **options), "JPEG", quality=95)


def put(path: Path, data: bytes | str) -> None:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def pet(number: int) -> str:
    """Return the label of an image."""
    return PETS[number % 3]
