"""The pictures of a training: the same images and codes, epoch after epoch, and a film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.train import pictures
from components.train.component import train
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.settings import TrainSettings

MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]


def test_every_epoch_has_its_pictures_and_the_film_has_a_frame_of_each(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    train(tiny_examples, None, model, make_settings(epochs=3))
    found = sorted(path.name for path in model.progress_path.iterdir())
    expected = [f"{kind}-{epoch:05d}.png" for kind in ("reconstructions", "samples") for epoch in (1, 2, 3)]
    assert found == [*expected, "samples.gif"]
    with Image.open(model.progress_path / "samples.gif") as film:
        assert film.n_frames == 3
    first, last = (np.asarray(Image.open(model.progress_path / f"samples-{epoch:05d}.png")) for epoch in (1, 3))
    assert first.shape == last.shape
    assert (first != last).any()  # of the same codes


def test_a_long_training_has_some_twenty_pictures(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "PICTURES", 2)
    model = open_model(tmp_path)
    train(tiny_examples, None, model, make_settings(epochs=5, patience=9))
    assert sorted(path.name for path in model.progress_path.glob("samples-*")) == ["samples-00003.png"]


def test_pictures_are_no_part_of_what_identifies_a_model() -> None:
    assert "progress/" in Model.VOLATILE
