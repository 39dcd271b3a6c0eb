"""Which forms are written, and what is said of packages that are missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from components.export.forms import forms_to_write
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError

Export = Callable[..., dict[str, int]]
ALL = ["keras", "onnx", "litert"]


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


def hide(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a module look as if it were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "components.export.forms.importlib.util.find_spec", lambda name: None if name == module else real(name)
    )
