"""The form ONNX: a file per signature, for any runtime that reads ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import tf2onnx
from keras.src.export.tf2onnx_lib import patch_tf2onnx

from components.export.onnx_order import put_in_order
from components.export.signatures import Functions

OPSET = 18  # of 2022, which onnxruntime, onnxruntime-web and OpenVINO have supported for long


def write_onnx_files(functions: Functions, path: Path) -> None:
    """Write ``<signature>.onnx`` for each; N, the first size of most tensors, may be any number."""
    path.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        patch_tf2onnx()  # tf2onnx 1.17 does not support numpy 2; Keras has a patch for it
    for name, function in functions.items():
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
        put_in_order(model.graph, name=name)
        onnx.checker.check_model(model, full_check=True)
        (path / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
