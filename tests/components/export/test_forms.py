"""Every form of a generator computes what the Keras model computes, without this project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from helpers.waits import PATIENCE

from components.export.forms import FORMS
from components.export.parity import call_in_fresh_process
from components.export.signatures import PORTABLE
from schemas.artifacts.kinds import Examples, Generator
from schemas.errors import DataError

Export = Callable[..., dict[str, int]]
ALL = ["keras", "onnx", "litert"]
LABELS = {"left": 1, "right": 1}


@pytest.fixture(scope="module")
def exported(
    export_to: Export,
    make_vae: Callable[..., Any],
    labelled_examples: Examples,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator:
    """Return a conditional generator in all forms."""
    generator = Generator(tmp_path_factory.mktemp("forms") / "generator")
    vae = make_vae(labels=LABELS)
    export_to(generator, vae, examples=labelled_examples, formats=ALL, licence="CC0-1.0")
    return generator


@pytest.mark.process
def test_each_form_was_compared_with_the_keras_model_in_its_own_process(exported: Generator) -> None:
    forms = json.loads(exported.parity_path.read_text())["forms"]
    assert list(forms) == ["saved_model", *ALL]
    for name, parity in forms.items():
        differences, bound = parity["largest_absolute_difference"], parity["bound"]
        assert {result.split(".")[0] for result in differences} >= set(FORMS[name].signatures)
        assert all(0 <= differences[result] <= bound[result] for result in differences)
        assert bound["decode.values"] == pytest.approx(1e-5 * FORMS[name].slack)
        assert bound["decode.images"] == 1
    assert forms["saved_model"]["largest_absolute_difference"]["generate.labels"] == 0


def test_time_and_memory_of_each_form_are_recorded(exported: Generator) -> None:
    for infra in json.loads(exported.infra_path.read_text()).values():
        assert all(infra[f"milliseconds_per_image_at_{batch}"] > 0 for batch in (1, 256))
        assert 10e6 < infra["peak_memory_bytes"] < 100e9


@pytest.mark.parametrize("images", [1, 3])
def test_a_form_takes_any_number_of_images(exported: Generator, images: int) -> None:
    codes = np.random.default_rng(1).standard_normal((images, 3)).astype(np.float32)
    labels = np.arange(images) % 2
    session = onnxruntime.InferenceSession(exported.path / "onnx" / "decode.onnx")
    [by_onnx] = session.run(["images"], {"codes": codes, "labels": labels})
    interpreter = Interpreter(str(exported.path / "litert" / "generator.tflite"))
    by_litert = interpreter.get_signature_runner("decode")(codes=codes, labels=labels)["images"]
    assert by_onnx.shape == (images, 8, 8, 1)
    assert by_onnx.dtype == by_litert.dtype == np.uint8
    np.testing.assert_allclose(by_onnx.astype(int), by_litert.astype(int), atol=1)


def test_the_portable_signatures_have_their_names_and_types(exported: Generator) -> None:
    interpreter = Interpreter(str(exported.path / "litert" / "generator.tflite"))
    assert set(interpreter.get_signature_list()) == set(PORTABLE)
    inputs = {}
    for name in PORTABLE:
        session = onnxruntime.InferenceSession(exported.path / "onnx" / f"{name}.onnx")
        inputs[name] = {tensor.name: (tensor.type, tensor.shape) for tensor in session.get_inputs()}
    labels = {"labels": ("tensor(int64)", ["N"])}
    assert inputs == {
        "encode": {"images": ("tensor(uint8)", ["N", 8, 8, 1]), **labels},
        "decode": {"codes": ("tensor(float)", ["N", 3]), **labels},
        "sample": {
            "normal": ("tensor(float)", ["N", 3]),
            "uniform": ("tensor(float)", ["N"]),
            "temperature": ("tensor(float)", []),
            **labels,
        },
    }


# In a process of its own, as the stage runs.
WRITE = """
import sys
from pathlib import Path
import keras
import models.vae
from components.export.forms import FORMS, FormSource
from components.export.signatures import signatures
from schemas.artifacts.kinds import Generator
vae = keras.models.load_model(sys.argv[1], safe_mode=True)
generator = Generator(Path(sys.argv[2]))
for folder in (generator.path, generator.work):
    folder.mkdir()
sampler = vae.prior_sampler()
for name in ("saved_model", "keras", "onnx", "litert"):
    FORMS[name].write(FormSource(vae, sampler, signatures(vae, sampler), generator))
"""


@pytest.mark.process
def test_the_same_model_is_the_same_bytes_in_every_process(make_vae: Callable[..., Any], tmp_path: Path) -> None:
    make_vae(labels=LABELS).save(tmp_path / "vae.keras")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path / "vae.keras"), str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        for seed in ("1", "2")
    ]
    assert [process.wait(timeout=PATIENCE) for process in processes] == [0, 0]
    once, again = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "1", tmp_path / "2")
    )
    assert {path.parts[0] for path in once} == {"saved_model", *ALL}
    assert once == again


def test_the_model_card_has_the_generators_origin(exported: Generator) -> None:
    card = exported.card_path.read_text()
    assert card.startswith("---\nlicense: CC0-1.0\n")
    for text in (
        "# Bright bars",
        "Bars by nobody, CC0",
        "64 images, 3 epochs",
        "left, right",
        "recipe `bars`",
        "`12ab`",
    ):
        assert text in card
    assert "/home/somebody" not in card  # a card is published


def test_the_model_cards_lines_load_the_forms(exported: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported.path)
    blocks = re.findall(r"```python\n(.*?)```", exported.card_path.read_text(), re.DOTALL)
    assert len(blocks) == 1 + len(ALL)
    for block in blocks:
        assert not re.search("schemas|models\\.vae|components|pipeline", block)
        names: dict[str, Any] = {}
        exec(block, names)
        assert (names["images"].shape, names["images"].dtype) == ((16, 8, 8, 1), np.uint8)


@pytest.mark.usefixtures("in_this_process")
def test_a_keras_file_that_needs_this_project_is_refused(
    make_vae: Callable[..., Any], generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = generator.path / "keras"
    for path in (folder, generator.work):
        path.mkdir(parents=True)
    for name in ("encode", "decode"):
        make_vae().save(folder / f"{name}.keras")
    # As in a process that has not imported this project, and cannot.
    monkeypatch.setitem(sys.modules, "models.vae", None)
    for name in [name for name in keras.saving.get_custom_objects() if name.endswith("VAE")]:
        monkeypatch.delitem(keras.saving.get_custom_objects(), name)
    codes = np.zeros((1, 3), np.float32)
    with pytest.raises(DataError, match=f"^{folder}: expected a form that loads in a fresh process, found: .*VAE"):
        call_in_fresh_process("keras", generator.path, {"decode.codes": codes}, work=generator.work)
