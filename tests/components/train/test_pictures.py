"""The pictures of a training: of some twenty epochs, however many there are. (What is drawn: test_train.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.train import pictures
from components.train.pictures import Pictures
from schemas.artifacts.kinds import Examples, Model


def test_a_long_training_has_some_twenty_pictures(
    tiny_examples: Examples, make_vae: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PICTURES", 2)
    callback = Pictures(tmp_path, tiny_examples, epochs=5, seed=3)
    callback.set_model(make_vae())
    for epoch in range(5):
        callback.on_epoch_end(epoch)
    assert sorted(path.name for path in tmp_path.glob("samples-*")) == ["samples-00003.png"]


def test_pictures_are_no_part_of_what_identifies_a_model() -> None:
    assert "progress/" in Model.VOLATILE
