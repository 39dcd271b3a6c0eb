"""The form OpenVINO: a pair of files per signature, made from the ONNX files."""

from __future__ import annotations

from pathlib import Path

import openvino


def write_openvino_files(onnx: Path, path: Path) -> None:
    """Write ``<signature>.xml`` and ``.bin``, in float32, for each file of the folder `onnx`."""
    path.mkdir()
    # Not openvino.convert_model, which reports each use to Intel's telemetry.
    core = openvino.Core()
    for file in sorted(onnx.glob("*.onnx")):
        openvino.save_model(core.read_model(file), path / f"{file.stem}.xml", compress_to_fp16=False)
