"""A model's file depends on the model alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.engine.keras_file import save_model


def test_the_same_model_saved_later_and_elsewhere_is_the_same_bytes(
    make_vae: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, keras_own = [], []
    keep = []  # in memory, so that the next model cannot have this one's addresses
    for number in range(2):
        now = time.struct_time((2026, 1, 1 + number, 0, 0, 0, 0, 1, 0))
        monkeypatch.setattr(time, "localtime", lambda *_, now=now: now)  # the time that zip files hold
        keras.utils.clear_session()
        vae = make_vae()
        keep.append(vae)
        path = tmp_path / str(number) / "vae.keras"
        save_model(vae, path, work=tmp_path)
        contents.append(path.read_bytes())
        keras_own.append((tmp_path / "scratch.keras").read_bytes())
    assert contents[0] == contents[1]
    assert keras_own[0] != keras_own[1]


def test_different_models_are_different_bytes(make_vae: Callable[..., Any], tmp_path: Path) -> None:
    contents = set()
    for seed in (1, 2):
        keras.utils.clear_session()
        save_model(make_vae(seed=seed), tmp_path / "vae.keras", work=tmp_path)
        contents.add((tmp_path / "vae.keras").read_bytes())
    assert len(contents) == 2


def test_a_saved_model_loads_with_the_same_weights(make_vae: Callable[..., Any], tmp_path: Path) -> None:
    vae = make_vae()
    save_model(vae, tmp_path / "vae.keras", work=tmp_path)
    loaded = keras.models.load_model(tmp_path / "vae.keras", safe_mode=True)
    for weight, expected in zip(loaded.get_weights(), vae.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_save_that_fails_leaves_the_file_that_was_there(
    make_vae: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, work = tmp_path / "model" / "vae.keras", tmp_path / "work"
    work.mkdir()
    vae = make_vae()
    save_model(vae, target, work=work)
    before = target.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("components.engine.keras_file.zipfile.ZipFile.writestr", full)
    with pytest.raises(OSError, match="no space left"):
        save_model(vae, target, work=work)
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["vae.keras"]
