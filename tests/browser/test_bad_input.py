"""Bad input gives a plain message in the explorer's page, never a blank page."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.explorer_page import settled


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG whose header declares this size, without pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "notes.txt",
            b"no picture at all",
            "notes.txt: expected a picture (PNG, JPEG, WebP, GIF or BMP), found something else",
        ),
        ("half.png", png_of_size(20, 20), "half.png: expected a picture"),
        (
            "huge.png",
            png_of_size(30_000, 30_000),
            "huge.png: expected at most 100 million pixels, found 30,000 × 30,000.",
        ),
    ],
)
def test_an_unusable_picture_gives_a_plain_message(opened: Any, name: str, content: bytes, message: str) -> None:
    before = settled(opened)
    opened.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    opened.get_by_text(message).wait_for()
    assert (settled(opened) == before).all()


@pytest.mark.parametrize("name", ["decode.onnx", "codes.f32"])
def test_files_of_another_generator_are_a_plain_message(
    page: Any, explorer: Path, serve: Callable[[Path], str], tmp_path: Path, name: str
) -> None:
    copy = shutil.copytree(explorer, tmp_path / "explorer")
    file = copy / "data" / name
    file.write_bytes(file.read_bytes()[:-4] + b"\0\1\2\3")
    page.goto(serve(copy))
    page.get_by_role("alert").wait_for()
    message = page.get_by_role("alert").inner_text()
    assert f"data/{name} is not the file that this explorer was built with" in message


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("delete window.Worker", "lacks web workers"),
        ("delete window.WebAssembly", "lacks WebAssembly"),
        ("WebAssembly.validate = () => false", "lacks WebAssembly SIMD"),
    ],
)
def test_a_browser_that_cannot_run_the_page_shows_why(
    page: Any, explorer: Path, serve: Callable[[Path], str], script: str, message: str
) -> None:
    page.add_init_script(script)
    page.goto(serve(explorer))
    page.get_by_role("alert").wait_for()
    assert message in page.get_by_role("alert").inner_text()


def test_an_address_of_another_generator_starts_afresh_and_says_so(opened: Any) -> None:
    opened.goto(f"{opened.url.split('#')[0]}?again#of=ffffffff&tab=walk")
    opened.get_by_text("belongs to another generator").wait_for()
    assert opened.get_by_role("tab", name="Directions").get_attribute("aria-selected") == "true"
