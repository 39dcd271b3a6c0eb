"""LiteRT, formerly TensorFlow Lite: one file with a signature each, for telephones and small boards."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.export.saved_model import save_functions
from models.vae import VAE


def write_litert_file(vae: VAE, functions: dict[str, Any], path: Path, *, work: Path) -> None:
    """Writes ``generator.tflite``, in float32, of the operations that LiteRT has built in."""
    path.mkdir()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        save_functions(vae, functions, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        (path / "generator.tflite").write_bytes(converter.convert())
