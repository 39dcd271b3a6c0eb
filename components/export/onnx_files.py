"""ONNX: a file per signature, for any runtime that reads ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import onnx
import tf2onnx
from keras.src.export.tf2onnx_lib import patch_tf2onnx

from components.export.onnx_order import put_in_order

OPSET = 18  # of 2022: what onnxruntime, onnxruntime-web and OpenVINO have long read


def write_onnx_files(functions: dict[str, Any], path: Path) -> None:
    """Writes ``<signature>.onnx`` for each; N, the first size of most tensors, is free."""
    path.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        patch_tf2onnx()  # tf2onnx 1.17 does not know numpy 2; Keras carries what it lacks
    for name, function in functions.items():
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
        put_in_order(model.graph, name=name)
        onnx.checker.check_model(model, full_check=True)
        (path / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
