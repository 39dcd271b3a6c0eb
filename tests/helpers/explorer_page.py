"""What a visitor does on the explorer's page, and what the page shows then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
CANVAS = """(canvas) => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""
TOLERANCE = 2  # of 255


def settled(page: Any) -> Pixels:
    """Wait until no newer image comes; return the decoded image, [28, 28]."""
    picture = page.locator("[data-testid=picture]")
    frames = None
    while frames != (frames := picture.get_attribute("data-frames")):
        page.wait_for_timeout(250)
    return np.array(picture.evaluate(CANVAS), np.uint8).reshape(28, 28, 4)[:, :, 0]


def newer(page: Any, button: str) -> Pixels:
    """Press a button; return the image that comes then."""
    frames = page.locator("[data-testid=picture]").get_attribute("data-frames")
    page.get_by_role("button", name=button).first.click()
    page.wait_for_selector(f"[data-testid=picture]:not([data-frames='{frames}'])")
    return settled(page)


def downloaded(page: Any, button: str) -> bytes:
    """Return the file that a button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()


def code_of(page: Any) -> NDArray[np.float32]:
    """Return the code of the image that is shown, as the page saves it: [D]."""
    return np.array(json.loads(downloaded(page, "Save code"))["code"], np.float32)


def assert_decoded(page: Any, decoder: Any) -> Pixels:
    """Assert that the page shows what Keras decodes from the code that the page saves; return its pixels."""
    shown = settled(page)
    values = decoder({"codes": code_of(page)[None]})
    values = np.asarray(values["values"] if isinstance(values, dict) else values)[0, :, :, 0]
    expected = np.round(np.clip(values, 0, 1) * 255)
    assert np.abs(shown.astype(int) - expected).max() <= TOLERANCE
    return shown


def hover(page: Any, x: float, y: float) -> None:
    """Move the pointer to a place of the map, by shares of its width and height."""
    box = page.locator("[data-testid=map]").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)


def hold(page: Any, x: float, y: float) -> None:
    """Click on a place of the map to hold its image while the pointer moves on; release an image that is held."""
    box = page.locator("[data-testid=map]").bounding_box()
    if "Held" in page.locator("[data-testid=held]").inner_text():
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
