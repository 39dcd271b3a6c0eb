"""The form SavedModel: named signatures that take and return raw pixels, with the sampler inside."""

from __future__ import annotations

import json
from pathlib import Path

import tensorflow as tf

from components.export.signatures import Functions, signatures
from models.vae import VAE


def write_saved_model(vae: VAE, path: Path, *, functions: Functions | None = None) -> None:
    """Write signatures; by default those that draw codes from the prior.

    The names of a conditional model's labels are written to ``assets.extra/labels.json``.
    """
    save_functions(vae, functions or signatures(vae, vae.prior_sampler()), path)
    if vae.conditional:
        # TensorFlow reserves this folder for files that belong to a model.
        names = path / "assets.extra" / "labels.json"
        names.parent.mkdir()
        names.write_text(json.dumps(list(vae.labels), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def save_functions(vae: VAE, functions: Functions, path: Path) -> None:
    """Write a SavedModel of some signatures; the same model gives the same bytes."""
    # A plain module with the weights in a list: Keras's ExportArchive collects weights in sets, whose order changes from
    # process to process, so that the same model would not give the same bytes.
    module = tf.Module()
    module.weights = [weight.value for weight in vae.weights]
    tf.saved_model.save(module, str(path), functions)
    # It holds a random number, and nothing needs it: the manifest has the sha256 of every file.
    (path / "fingerprint.pb").unlink(missing_ok=True)
