"""The forms in which a generator is written, and what each needs. Loads none of their packages until it is wanted."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components.export.saved_model import write_saved_model
from components.export.signatures import PORTABLE
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError


@dataclass(frozen=True)
class Written:
    """What forms are made of: a model, where new codes come from, `signatures`, and where files go."""

    vae: VAE
    sampler: CodeSampler
    functions: dict[str, Any]
    generator: Generator

    @property
    def portable(self) -> dict[str, Any]:
        """The signatures that need no counter-based random numbers."""
        return {name: self.functions[name] for name in PORTABLE}


@dataclass(frozen=True)
class Form:
    """One way to hand a generator on; its files are in the generator's folder of its name.

    Attributes:
        title: For people.
        write: Writes the files.
        signatures: That it has; none: all.
        modules: Imported for writing and checking it.
        extra: Of `setup.py`, which brings them.
        slack: How many times `export.tolerance` it may differ from the Keras model: another engine adds in another order.
        needs: Forms that have to be written before.
    """

    title: str
    write: Callable[[Written], None]
    signatures: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    extra: str = ""
    slack: float = 10.0
    needs: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether its packages are."""
        return all(importlib.util.find_spec(module) is not None for module in self.modules)


def _saved_model(given: Written) -> None:
    write_saved_model(given.vae, given.generator.saved_model_path, functions=given.functions)


def _keras(given: Written) -> None:
    from components.export.keras_files import write_keras_files

    write_keras_files(given.vae, given.generator.path / "keras", work=given.generator.work)


def _onnx(given: Written) -> None:
    from components.export.onnx_files import write_onnx_files

    write_onnx_files(given.portable, given.generator.path / "onnx")


def _litert(given: Written) -> None:
    from components.export.litert_file import write_litert_file

    write_litert_file(given.vae, given.portable, given.generator.path / "litert", work=given.generator.work)


def _openvino(given: Written) -> None:
    from components.export.openvino_files import write_openvino_files

    write_openvino_files(given.generator.path / "onnx", given.generator.path / "openvino")


FORMS: dict[str, Form] = {
    "saved_model": Form("TensorFlow's SavedModel", _saved_model, slack=1.0),
    "keras": Form("Keras", _keras, signatures=("encode", "decode"), slack=1.0),
    "onnx": Form("ONNX", _onnx, signatures=PORTABLE, modules=("onnx", "tf2onnx", "onnxruntime"), extra="onnx"),
    "litert": Form("LiteRT", _litert, signatures=PORTABLE, modules=("ai_edge_litert",), extra="litert"),
    "openvino": Form(
        "OpenVINO", _openvino, signatures=PORTABLE, modules=("openvino",), extra="openvino", needs=("onnx",)
    ),
}

DEFAULT = ("saved_model", "keras", "onnx", "litert")  # of small packages


def wanted_forms(asked: Sequence[str] | None) -> list[str]:
    """The SavedModel and the forms that are asked for, in order; none asked: those of `DEFAULT` that are installed.

    Raises:
        UsageError: A form's packages are not installed, or a form that it is made of is not asked for.
    """
    if asked is None:
        return [name for name in DEFAULT if FORMS[name].installed]
    for name in asked:
        form = FORMS[name]
        if not form.installed:
            raise UsageError(
                f"export.formats: expected the packages of {name}, found some missing; pip install 'latent-mill[{form.extra}]' "
                f"brings them, or leave {name} out"
            )
        if missing := set(form.needs) - set(asked):
            raise UsageError(f"export.formats: expected {min(missing)} beside {name}, which is made of it, found none")
    return [name for name in FORMS if name == "saved_model" or name in asked]
