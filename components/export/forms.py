"""The forms in which a generator is written, and what each needs. A form's packages are loaded when it is written."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.export.saved_model import write_saved_model
from components.export.signatures import PORTABLE, Functions
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError


@dataclass(frozen=True)
class FormSource:
    """What forms are written from.

    Attributes:
        vae: The model.
        sampler: Sampler of the codes of new images.
        functions: The generator's signatures.
        generator: Generator whose folder the files go to.
    """

    vae: VAE
    sampler: CodeSampler
    functions: Functions
    generator: Generator

    @property
    def portable(self) -> Functions:
        """The signatures that need no counter-based random numbers."""
        return {name: self.functions[name] for name in PORTABLE}


@dataclass(frozen=True)
class Form:
    """A file format of a generator; its files are in the generator's folder of its name.

    Attributes:
        title: Name in messages.
        write: Writes the files.
        signatures: Signatures that it has; empty for all.
        modules: Modules that writing and checking it import.
        extra: Extra of `setup.py` that installs them.
        slack: Factor on `export.tolerance`: another engine may add in another order.
        needs: Forms that have to be written before.
    """

    title: str
    write: Callable[[FormSource], None]
    signatures: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    extra: str = ""
    slack: float = 10.0
    needs: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether its packages are installed."""
        return all(importlib.util.find_spec(module) is not None for module in self.modules)


def _saved_model(source: FormSource) -> None:
    write_saved_model(source.vae, source.generator.saved_model_path, functions=source.functions)


def _keras(source: FormSource) -> None:
    from components.export.keras_files import write_keras_files

    write_keras_files(source.vae, source.generator.path / "keras", work=source.generator.work)


def _onnx(source: FormSource) -> None:
    from components.export.onnx_files import write_onnx_files

    write_onnx_files(source.portable, source.generator.path / "onnx")


def _litert(source: FormSource) -> None:
    from components.export.litert_file import write_litert_file

    write_litert_file(source.vae, source.portable, source.generator.path / "litert", work=source.generator.work)


def _openvino(source: FormSource) -> None:
    from components.export.openvino_files import write_openvino_files

    write_openvino_files(source.generator.path / "onnx", source.generator.path / "openvino")


FORMS: dict[str, Form] = {
    "saved_model": Form("TensorFlow's SavedModel", _saved_model, slack=1.0),
    "keras": Form("Keras", _keras, signatures=("encode", "decode"), slack=1.0),
    "onnx": Form("ONNX", _onnx, signatures=PORTABLE, modules=("onnx", "tf2onnx", "onnxruntime"), extra="onnx"),
    "litert": Form("LiteRT", _litert, signatures=PORTABLE, modules=("ai_edge_litert",), extra="litert"),
    "openvino": Form(
        "OpenVINO", _openvino, signatures=PORTABLE, modules=("openvino",), extra="openvino", needs=("onnx",)
    ),
}

DEFAULT = ("saved_model", "keras", "onnx", "litert")  # their packages are small


def forms_to_write(formats: Sequence[str] | None) -> list[str]:
    """Return the SavedModel and the forms of `export.formats`, in order; without the setting, the installed default forms.

    Raises:
        UsageError: A form's packages are not installed, or a form that it is made from is not in the setting.
    """
    if formats is None:
        return [name for name in DEFAULT if FORMS[name].installed]
    for name in formats:
        form = FORMS[name]
        if not form.installed:
            raise UsageError(
                f"export.formats: expected the packages of {name}, found some missing; pip install 'latent-mill[{form.extra}]' "
                f"brings them, or leave {name} out"
            )
        if missing := set(form.needs) - set(formats):
            raise UsageError(
                f"export.formats: expected {min(missing)} beside {name}, which is made from it, found none"
            )
    return [name for name in FORMS if name == "saved_model" or name in formats]
