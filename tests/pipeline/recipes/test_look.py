"""A look at a source opens some of its images, and survives what they do to their decoder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.small_images import png, put
from PIL import Image

from pipeline.recipes import look as looking
from pipeline.recipes.kind import source_at
from pipeline.recipes.look import look


@pytest.mark.process
def test_a_file_that_crashes_its_decoder_is_one_file_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(11):
        put(tmp_path / "photos" / f"{number}.png", png(number))
    Image.new("RGB", (13, 17)).save(tmp_path / "photos" / "crash.png")
    monkeypatch.setenv("CRASH_AT", "13x17")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers" / "crash_at")]))
    seen = look(source_at(str(tmp_path / "photos")), choose=True)
    assert len(seen.sizes) == 11
    count, first = seen.rejected["crashed"]
    assert count == 1
    assert first.startswith("crash.png: ")


def test_files_of_several_pages_are_said(tmp_path: Path) -> None:
    for number in range(3):
        pages = [Image.new("RGB", (16, 16), (20 * page, 50 * number, 9)) for page in range(4)]
        pages[0].save(tmp_path / f"{number}.tif", save_all=True, append_images=pages[1:] if number else [])
    assert look(source_at(str(tmp_path)), choose=True).remarks == [
        "2 of 3 opened files have several frames or pages: only the first of each is taken, unless "
        "preprocess.animated=reject leaves such files out. To use all, write each as a file."
    ]


@pytest.mark.parametrize(
    ("limits", "exact"),
    [({"SAMPLE": 4, "LISTED": 20}, False), ({"LISTED_BYTES": 2_000}, False), ({}, True)],
    ids=["images", "bytes", "all"],
)
def test_splits_are_those_of_all_images_where_only_the_first_were_listed(
    limits: dict[str, int], exact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of MNIST's four files, of which the first 10,000 images of each are listed."""
    for name, count in (("t10k", 10), ("train", 60)):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 9, 9), np.uint8)
        header = bytes((0, 0, 8, 3)) + np.array(pixels.shape, ">u4").tobytes()
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
    for name, value in limits.items():
        monkeypatch.setattr(looking, name, value)
    seen = look(source_at(str(tmp_path)), choose=True)
    assert (seen.images, seen.exact, dict(seen.splits)) == (70, exact, {"train": 60, "test": 10})
