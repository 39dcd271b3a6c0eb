"""The data of the explorer's page: the files that it names, with their digests, and codes from the page's own encoder."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import MIXED_SIZE, seal, write_recipe
from PIL import Image

from pipeline.tools.explorer import data
from schemas.artifacts.generator import Description
from schemas.artifacts.kinds import Examples, Generator

IMAGES = np.random.default_rng(0).integers(0, 256, (40, MIXED_SIZE, MIXED_SIZE, 1), np.uint8)
LABELS = np.arange(40) % 3 - 1  # -1: an image without a label


class Session:
    """An encoder in place of onnxruntime's: the mean is the brightness, in three dimensions; a label adds to it."""

    def __init__(self, path: str, **_: Any) -> None:
        assert Path(path).name == "encode.onnx"

    def run(self, names: list[str], feeds: dict[str, Any]) -> list[Any]:
        assert names == ["mean"]
        means = feeds["images"].mean(axis=(1, 2)).repeat(3, axis=1).astype(np.float32)
        return [means + feeds["labels"][:, None] if "labels" in feeds else means]


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what loads TensorFlow or a model."""
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    monkeypatch.setattr(data, "read_images", lambda _: (IMAGES, LABELS, ["cat", "dog"]))


@pytest.mark.parametrize("conditional", [False, True])
def test_the_description_names_every_file_with_its_digest(conditional: bool, tmp_path: Path) -> None:
    generator = Generator(tmp_path / "generator")
    (generator.path / "onnx").mkdir(parents=True)
    for name in data.SIGNATURES:
        (generator.path / "onnx" / f"{name}.onnx").write_bytes(name.encode())
    labels = {"labels": ("cat", "dog"), "label_shares": (0.5, 0.5)} if conditional else {}
    about = Description(sampler="normal", latent_dim=3, image_shape=(MIXED_SIZE, MIXED_SIZE, 1), **labels)
    generator.description_path.write_text(about.model_dump_json())
    seal(generator, write_recipe(tmp_path, "grey"))

    folder = tmp_path / "data"
    data.write_data(generator, Examples(tmp_path / "examples"), folder, made_from={"page": "12ab"})
    description = json.loads((folder / "explorer.json").read_text())
    assert set(description["files"]) == {path.name for path in folder.iterdir()} - {"explorer.json"}
    for name, file in description["files"].items():
        content = (folder / name).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert description["made_from"] == {"page": "12ab"}
    assert description["generator"] == generator.digest
    assert (description["conditional"], description["labels"]) == (conditional, ["cat", "dog"])
    assert (description["points"], description["maps"]) == (40, ["principal", "tsne"])
    codes = np.fromfile(folder / "codes.f32", "<f4").reshape(40, 3)
    expected = IMAGES.mean(axis=(1, 2)).repeat(3, axis=1) + (np.maximum(LABELS, 0)[:, None] if conditional else 0)
    np.testing.assert_allclose(codes, expected, rtol=1e-6)
    np.testing.assert_array_equal(np.fromfile(folder / "labels.i32", "<i4"), LABELS)
    with Image.open(folder / "sheet.webp") as sheet:
        assert sheet.size == (32 * MIXED_SIZE, 2 * MIXED_SIZE)
