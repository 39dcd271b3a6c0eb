"""A look at a source opens some of its images, and survives what they do to their decoder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.small_images import png, put
from PIL import Image

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
