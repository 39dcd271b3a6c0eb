"""Every form of a generator computes what the Keras model computes, without this project."""

from __future__ import annotations

import importlib.util
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
from helpers.by_hand import describe
from helpers.waits import PATIENCE

from components.export import fresh_process
from components.export.forms import FORMS, FormSource, forms_to_write
from components.export.litert_file import write_litert_file
from components.export.onnx_files import write_onnx_files
from components.export.parity import call_in_fresh_process, keras_results
from components.export.signatures import PORTABLE, signatures
from models.build import build_vae
from models.code_samplers import AggregatePosterior, CodeSampler, LearnedPrior, Mixture, Normal, UniformBox
from schemas.artifacts.kinds import Examples, Generator
from schemas.errors import DataError, UsageError
from schemas.recipe.model import (
    BernoulliLoss,
    ConvModel,
    DenseModel,
    GaussianLoss,
    LogisticLoss,
    LossSettings,
    ModelSettings,
    ResnetModel,
)

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


# --- results ---------------------------------------------------------------------------------------------------------


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


NETWORKS: dict[str, tuple[ModelSettings, LossSettings, tuple[int, int, int]]] = {
    "dense_gated_logistic_rgb": (
        DenseModel(network="dense", hidden=(16,), activation="glu"),
        LogisticLoss(likelihood="logistic", components=2),
        (6, 6, 3),
    ),
    "conv_batch_norm": (
        ConvModel(
            network="conv", encoder=((4, 2), (6, 2)), decoder=((6, 2), (4, 2)), base_filters=3, batch_norm="after"
        ),
        BernoulliLoss(likelihood="bernoulli"),
        (8, 12, 1),
    ),
    "resnet_odd_two_levels_learned_prior": (
        ResnetModel(
            network="resnet",
            latent_dim=3,
            widths=(4, 6),
            patch=2,
            local_latents=1,
            prior_components=3,
            upsampling="sub_pixel",
            conditional=True,
        ),
        GaussianLoss(likelihood="gaussian"),
        (11, 7, 3),
    ),
}


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("network", NETWORKS)
def test_every_family_of_networks_can_be_written(network: str, generator: Generator) -> None:
    model, loss, shape = NETWORKS[network]
    labels = LABELS if model.conditional else {}
    counts = {"train": sum(labels.values()), "validation": 0, "test": 0}
    statistics = describe(*shape, images=counts, labels=list(labels), images_per_label={"train": labels})
    vae = build_vae(model, loss, statistics, seed=1)
    sampler = vae.prior_sampler()
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    parity = keras_results(vae, images, sampler=sampler, labels=np.arange(5) % 2 if labels else None)
    source = FormSource(vae, sampler, signatures(vae, sampler), generator)
    for folder in (generator.path, generator.work):
        folder.mkdir(parents=True)
    for name in ALL:
        FORMS[name].write(source)
        differences = parity.differences(name, generator.path, signatures=FORMS[name].signatures, work=generator.work)
        assert "decode.values" in differences
        assert all(differences[key] <= parity.bound(key, 1e-4) for key in differences), (name, differences)


MEANS, DEVIATIONS = np.array([[-1.0, 0.0, 2.0], [3.0, 1.0, 0.5]], np.float32), np.full((2, 3), 0.3, np.float32)
SAMPLERS: list[CodeSampler] = [
    Normal(3),
    LearnedPrior(np.array([[0.3, 0.7]], np.float32), MEANS[:, :2], DEVIATIONS[:, :2], 3),
    UniformBox(np.array([-2.0, 0.0, 1.0], np.float32), np.array([2.0, 4.0, 1.0], np.float32)),
    Mixture(np.array([[0.3, 0.7]], np.float32), MEANS[None], np.tile(np.eye(3, dtype=np.float32), (1, 2, 1, 1))),
    AggregatePosterior(MEANS, DEVIATIONS, np.array([0, 2], np.int32), 0.5),
]


@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.kind)
def test_every_sampler_draws_the_same_codes_in_every_form(
    sampler: CodeSampler, form: str, make_vae: Callable[..., Any], generator: Generator
) -> None:
    vae, random = make_vae(), np.random.default_rng(0)
    noise = {
        "normal": 3 * random.standard_normal((500, 3)).astype(np.float32),  # the tails too
        "uniform": random.random(500, np.float32),
        "temperature": np.float32(0.9),
    }
    for folder in (generator.path, generator.work):
        folder.mkdir(parents=True)
    sample = {"sample": signatures(vae, sampler)["sample"]}
    if form == "onnx":
        write_onnx_files(sample, generator.path / "onnx")
    else:
        write_litert_file(vae, sample, generator.path / "litert", work=generator.work)
    codes = fresh_process.FORMS[form](generator.path)(
        "sample", {key: np.asarray(value) for key, value in noise.items()}
    )
    np.testing.assert_allclose(codes["codes"], np.asarray(sampler.codes(**noise)), atol=1e-5)


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


# --- the model card --------------------------------------------------------------------------------------------------


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


# --- which forms ------------------------------------------------------------------------------------------------------


def test_by_default_the_forms_are_those_whose_packages_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert forms_to_write(None) == ["saved_model", *ALL]
    assert forms_to_write([]) == ["saved_model"]
    assert forms_to_write(["litert"]) == ["saved_model", "litert"]
    hide("tf2onnx", monkeypatch)
    assert forms_to_write(None) == ["saved_model", "keras", "litert"]


def test_a_form_of_the_recipe_whose_packages_are_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hide("onnxruntime", monkeypatch)
    with pytest.raises(UsageError, match=r"^export\.formats: .* packages of onnx.*pip install 'latent-mill\[onnx\]'"):
        forms_to_write(["keras", "onnx"])


def test_openvino_is_made_from_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.export.forms.importlib.util.find_spec", lambda _: True)
    with pytest.raises(UsageError, match=r"^export\.formats: expected onnx beside openvino"):
        forms_to_write(["openvino"])
    assert forms_to_write(["openvino", "onnx"]) == ["saved_model", "onnx", "openvino"]


@pytest.mark.usefixtures("in_this_process")
def test_forms_whose_packages_are_missing_are_named(
    export_to: Export,
    make_vae: Callable[..., Any],
    generator: Generator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hide("tf2onnx", monkeypatch)
    hide("ai_edge_litert", monkeypatch)
    export_to(generator, make_vae(), formats=None)
    assert "without litert, onnx: pip install 'latent-mill[litert,onnx]'" in capsys.readouterr().out
    assert not (generator.path / "onnx").exists()


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


def hide(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a module look as if it were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "components.export.forms.importlib.util.find_spec", lambda name: None if name == module else real(name)
    )
