"""The form LiteRT, formerly TensorFlow Lite: one file with the portable signatures, for phones and small boards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import tensorflow as tf

from components.export.saved_model import save_functions
from components.export.signatures import Functions
from models.vae import VAE


def write_litert_file(vae: VAE, functions: Functions, path: Path, *, work: Path) -> None:
    """Write ``generator.tflite``, in float32, with nothing but the operations that are built into LiteRT."""
    path.mkdir()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        save_functions(vae, functions, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        (path / "generator.tflite").write_bytes(converter.convert())
