"""A script that runs in its own process: it loads a generator in one of its forms, calls it, and measures time and memory.

It imports nothing of this project, which is not installed where a generator is used.
"""

from __future__ import annotations

import atexit
import gc
import importlib.metadata
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Call = Callable[[str, Arrays], Arrays]  # from a signature's name and its arguments to its results
BATCHES = (1, 256)  # images in the batches whose decoding is timed
MIN_SECONDS, MIN_CALLS = 0.3, 3  # of timing, for each batch


def main(form: str, generator: str, inputs: str, outputs: str) -> None:
    """Call the signatures whose arguments are in `inputs` (.npz), and write their results to `outputs` (.npz).

    An array ``<signature>.<argument>`` is that argument. Times and memory go to the path of `outputs` with the suffix .json.
    """
    for name in ("schemas", "models", "components", "pipeline"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # an import of it fails
    began = time.perf_counter()
    call = FORMS[form](Path(generator))
    load_seconds = time.perf_counter() - began
    arguments: dict[str, Arrays] = {}
    with np.load(inputs, allow_pickle=False) as arrays:
        for key in arrays.files:
            name, argument = key.split(".")
            arguments.setdefault(name, {})[argument] = arrays[key]
    results: dict[str, Any] = {}
    for name, of_signature in arguments.items():
        results |= {f"{name}.{key}": value for key, value in call(name, of_signature).items()}
    np.savez(outputs, **results)
    infra: dict[str, Any] = {
        "version": importlib.metadata.version(PACKAGES[form]),
        "load_seconds": round(load_seconds, 3),
    }
    for batch in BATCHES:
        infra[f"milliseconds_per_image_at_{batch}"] = round(_milliseconds(call, arguments["decode"], batch), 4)
    infra["peak_memory_bytes"] = _peak_memory()
    Path(outputs).with_suffix(".json").write_text(json.dumps(infra), encoding="utf-8")


def _milliseconds(call: Call, arguments: Arrays, batch: int) -> float:
    """Return the milliseconds of decoding per image: the median of some calls after the first."""
    repeated = {name: np.resize(values, (batch, *values.shape[1:])) for name, values in arguments.items()}
    call("decode", repeated)
    times: list[float] = []
    while len(times) < MIN_CALLS or sum(times) < MIN_SECONDS:
        began = time.perf_counter()
        call("decode", repeated)
        times.append(time.perf_counter() - began)
    return 1000.0 * statistics.median(times) / batch


def _peak_memory() -> int:
    """Return the most bytes of memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage includes the process that started this one
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: in bytes


def _saved_model(generator: Path) -> Call:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(generator / "saved_model"))

    def call(name: str, arguments: Arrays) -> Arrays:
        tensors = {key: tf.constant(value) for key, value in arguments.items()}
        return {key: value.numpy() for key, value in loaded.signatures[name](**tensors).items()}

    return call


def _keras(generator: Path) -> Call:
    import keras

    networks = {
        name: keras.models.load_model(generator / "keras" / f"{name}.keras", compile=False, safe_mode=True)
        for name in ("encode", "decode")
    }
    return lambda name, arguments: {
        key: keras.ops.convert_to_numpy(value) for key, value in networks[name](arguments).items()
    }


def _onnx(generator: Path) -> Call:
    import onnxruntime

    sessions = {
        path.stem: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for path in (generator / "onnx").glob("*.onnx")
    }

    def call(name: str, arguments: Arrays) -> Arrays:
        names = [output.name for output in sessions[name].get_outputs()]
        return dict(zip(names, sessions[name].run(names, arguments), strict=True))

    return call


def _litert(generator: Path) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(generator / "litert" / "generator.tflite"))
    return lambda name, arguments: interpreter.get_signature_runner(name)(**arguments)


def _openvino(generator: Path) -> Call:
    import openvino

    core = openvino.Core()
    # Without this, OpenVINO uses bfloat16 where the processor has it.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = {path.stem: core.compile_model(path, "CPU", exact) for path in (generator / "openvino").glob("*.xml")}
    return lambda name, arguments: {output.any_name: values for output, values in compiled[name](arguments).items()}


FORMS: dict[str, Callable[[Path], Call]] = {
    "saved_model": _saved_model,
    "keras": _keras,
    "onnx": _onnx,
    "litert": _litert,
    "openvino": _openvino,
}

PACKAGES = {
    "saved_model": "tensorflow",
    "keras": "keras",
    "onnx": "onnxruntime",
    "litert": "ai-edge-litert",
    "openvino": "openvino",
}


if __name__ == "__main__":
    atexit.register(gc.freeze)  # the last search for garbage takes a second with TensorFlow
    main(*sys.argv[1:])
