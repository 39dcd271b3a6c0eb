"""Inception, in whose features a recipe can compare image sets too; and what a wrong file gets."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.flat_images import Array, features, flat
from helpers.small_evaluation import evaluate_small

from components.evaluate.samples import own_features
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.own_features import inception_space
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import UsageError


def test_a_file_that_is_not_inception_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "inception-2015-12-05.pt"
    path.write_bytes(b"other weights")
    with pytest.raises(UsageError) as caught:
        inception_space(str(path))
    assert str(caught.value) == (
        "evaluate.inception: expected inception-2015-12-05.pt with sha256 "
        f"f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4, found {path} with sha256 "
        f"{hashlib.sha256(b'other weights').hexdigest()}"
    )


def test_a_missing_file_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        inception_space(f"{tmp_path}/weights.pt")
    assert str(caught.value) == (
        f"evaluate.inception: expected inception-2015-12-05.pt, found no file {tmp_path}/weights.pt"
    )


@pytest.fixture
def right_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a file that is taken for Inception's weights."""
    path = tmp_path / "inception-2015-12-05.pt"
    path.write_bytes(b"these weights")
    monkeypatch.setattr(own_features, "WEIGHTS_SHA256", hashlib.sha256(b"these weights").hexdigest())
    return str(path)


def test_without_pytorch_the_error_says_how_to_install_it(right_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError) as caught:
        inception_space(right_file)
    assert str(caught.value) == (
        "evaluate.inception: expected PyTorch, found none; install what the extra `inception` names: "
        ".venv/bin/pip install torch"
    )


def test_inception_gets_8_bit_rgb_with_channels_first(right_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[Array] = []

    def network(images: Array, *, return_features: bool) -> Any:
        assert return_features
        batches.append(images)
        return SimpleNamespace(numpy=lambda: images.mean(axis=(2, 3), dtype=np.float32))

    loaded = SimpleNamespace(eval=lambda: network)
    stand_in = SimpleNamespace(
        jit=SimpleNamespace(load=lambda path, map_location: loaded),
        from_numpy=lambda images: images,
        no_grad=nullcontext,
    )
    monkeypatch.setitem(sys.modules, "torch", stand_in)
    space = inception_space(right_file)
    np.testing.assert_allclose(features(space, flat((7,), (200,))), [[7, 7, 7], [200, 200, 200]], rtol=1e-5)
    np.testing.assert_allclose(features(space, flat((10, 20, 60))), [[10, 20, 60]], rtol=1e-5)
    assert [images.shape for images in batches] == [(2, 3, 8, 8), (1, 3, 8, 8)]
    assert {images.dtype.name for images in batches} == {"uint8"}
    assert (space.name, space.digest) == ("inception", own_features.WEIGHTS_SHA256)


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of TorchScript's future
def test_inception_itself(noise_images: Callable[..., Array]) -> None:
    path = os.environ.get("LATENT_MILL_INCEPTION")
    if not path:
        pytest.skip("LATENT_MILL_INCEPTION does not name inception-2015-12-05.pt")
    pytest.importorskip("torch", reason="PyTorch is not installed (extra `inception`)")
    space = inception_space(path)
    grey = noise_images(20, height=32, width=32) / np.float32(255)
    values = features(space, grey)
    assert values.shape == (20, 2048)
    assert np.isfinite(values).all()
    assert frechet_distance(values, values) == pytest.approx(0.0, abs=1e-2)
    assert frechet_distance(values, features(space, grey / 2)) > 0.1
    np.testing.assert_allclose(features(space, np.repeat(grey, 3, axis=3)), values, rtol=1e-4, atol=1e-4)


def test_a_wrong_path_is_an_error_before_any_work(
    make_examples: Callable[..., Examples], make_model: Callable[..., Model], tmp_path: Path
) -> None:
    examples, folder = make_examples(), tmp_path / "evaluation"
    with pytest.raises(UsageError, match=r"evaluate\.inception: expected .*, found no file nowhere\.pt"):
        evaluate_small(examples, make_model(examples), folder, inception="nowhere.pt")
    assert not folder.exists()
