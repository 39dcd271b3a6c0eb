"""Export keeps a generator only when it does, in a process without this project, what the Keras model does."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.export import fresh_process
from components.export.parity import call_in_fresh_process
from components.export.saved_model import write_saved_model
from schemas.artifacts.generator import Description
from schemas.artifacts.kinds import Examples, Generator, ModelEvaluation
from schemas.errors import DataError

Export = Callable[..., dict[str, int]]
MakeVae = Callable[..., Any]


def size_of(folder: Path) -> int:
    """Return the bytes of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_another(vae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make export write the SavedModel of another model."""

    def write(_: Any, path: Path, **__: Any) -> None:
        write_saved_model(vae, path)

    monkeypatch.setattr("components.export.forms.write_saved_model", write)


@pytest.fixture
def images(tiny_examples: Examples) -> np.ndarray[Any, Any]:
    """Real images: [16, 8, 8, 1], uint8."""
    from components.examples.dataset import batches

    [images] = batches(tiny_examples, "test", batch_size=16).as_numpy_iterator()
    return np.asarray(images)


# --- a generator that passes ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_this_process")
def test_a_model_is_exported_and_compared_with_the_keras_model(
    export_to: Export,
    make_vae: MakeVae,
    make_examples: Callable[..., Examples],
    generator: Generator,
    evaluation: ModelEvaluation,
    tmp_path: Path,
) -> None:
    interrupted = generator.saved_model_path / "variables" / "half.written"  # by an interrupted export
    interrupted.parent.mkdir(parents=True)
    interrupted.write_text("half a file")
    examples = make_examples(tmp_path / "examples", channels=3)
    counts = export_to(generator, make_vae(channels=3), examples=examples)
    assert not interrupted.exists()
    assert counts == {"saved_model_bytes": size_of(generator.saved_model_path), "latent_dim": 3}
    assert {path.name for path in generator.path.iterdir()} == {
        *("saved_model", "samplers", "generator.json", "parity.json", "infra.json", "README.md")
    }
    parity = json.loads(generator.parity_path.read_text())
    differences = parity.pop("forms")["saved_model"]["largest_absolute_difference"]
    assert parity == {"evaluation": evaluation.digest, "tolerance": 1e-5}
    assert generator.describe() == Description(sampler="normal", latent_dim=3, image_shape=(8, 8, 3))
    signatures = {"encode", "decode", "reconstruct", "interpolate", "sample", "generate"}
    assert {name.split(".")[0] for name in differences} == signatures
    assert all(0 <= difference <= 1e-5 for name, difference in differences.items() if not name.endswith(".images"))
    assert all(difference <= 1 for difference in differences.values())


def test_the_fresh_process_knows_nothing_of_this_project() -> None:
    tree = ast.parse(Path(fresh_process.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ["." * node.level + (node.module or "")]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    runtimes = {"tensorflow", "keras", "onnxruntime", "ai_edge_litert", "openvino"}
    assert imported - set(sys.stdlib_module_names) == {"numpy"} | runtimes


# --- a generator that is refused -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_this_process")
def test_the_saved_model_of_another_model_is_refused(
    export_to: Export, make_vae: MakeVae, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_another(make_vae(seed=2), monkeypatch)
    with pytest.raises(
        DataError, match=r"^export\.tolerance: expected at most \d\S*e-05 from the Keras model, found \d"
    ):
        export_to(generator, make_vae(seed=1))
    assert not generator.parity_path.exists()


@pytest.mark.usefixtures("in_this_process")
def test_a_difference_within_the_tolerance_is_allowed_and_recorded(
    export_to: Export, make_vae: MakeVae, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_another(make_vae(seed=2), monkeypatch)
    monkeypatch.setattr("components.export.parity.LEVELS", 255.0)
    export_to(generator, make_vae(seed=1), tolerance=1000.0)
    forms = json.loads(generator.parity_path.read_text())["forms"]
    assert forms["saved_model"]["largest_absolute_difference"]["encode.mean"] > 0.1


@pytest.mark.usefixtures("in_this_process")
def test_a_model_that_returns_nan_is_refused(export_to: Export, make_vae: MakeVae, generator: Generator) -> None:
    vae = make_vae()
    vae.decoder.set_weights([np.full_like(weight, np.nan) for weight in vae.decoder.get_weights()])
    with pytest.raises(DataError, match=r"^export\.tolerance: expected at most 1e-05 .* found nan in "):
        export_to(generator, vae)


@pytest.mark.usefixtures("in_this_process")
def test_a_damaged_saved_model_is_refused(make_vae: MakeVae, images: np.ndarray[Any, Any], tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write_saved_model(make_vae(), whole / "saved_model")
    for number, name in enumerate(["saved_model.pb", "variables/variables.index"]):
        damaged = tmp_path / f"damaged-{number}"
        shutil.copytree(whole, damaged)
        (damaged / "saved_model" / name).write_bytes(b"\xff" * 100)
        expected = f"^{damaged}/saved_model: expected a form that loads in a fresh process, found: ."
        with pytest.raises(DataError, match=expected):
            call_in_fresh_process("saved_model", damaged, {"encode.images": images}, work=tmp_path)


@pytest.mark.usefixtures("in_this_process")
def test_a_missing_saved_model_is_refused(images: np.ndarray[Any, Any], tmp_path: Path) -> None:
    missing = tmp_path / "saved_model"
    with pytest.raises(
        DataError, match=f"^{missing}: expected a form that loads in a fresh process, found: .*{missing}"
    ):
        call_in_fresh_process("saved_model", tmp_path, {"encode.images": images}, work=tmp_path)


@pytest.mark.usefixtures("in_this_process")
def test_a_broken_shard_is_an_error_that_names_the_examples(
    export_to: Export,
    make_vae: MakeVae,
    make_examples: Callable[..., Examples],
    generator: Generator,
    tmp_path: Path,
) -> None:
    examples = make_examples(tmp_path / "examples")
    shard = examples.shards("test")[0]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match=f"^{examples.path}: expected whole TFRecord shards"):
        export_to(generator, make_vae(), examples=examples)
