"""The SavedModel: named signatures, raw pixels in and out, the sampler inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.export.signatures import signatures
from models.vae import VAE


def write_saved_model(vae: VAE, path: Path, *, functions: dict[str, Any] | None = None) -> None:
    """Writes `signatures`, without others those whose new codes come from the prior.

    The names of a conditional model's labels are in ``assets.extra/labels.json``.
    """
    save_functions(vae, functions or signatures(vae, vae.prior_sampler()), path)
    if vae.conditional:
        # The folder that TensorFlow sets aside for what belongs to a model.
        names = path / "assets.extra" / "labels.json"
        names.parent.mkdir()
        names.write_text(json.dumps(list(vae.labels), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def save_functions(vae: VAE, functions: dict[str, Any], path: Path) -> None:
    """Writes a SavedModel of some signatures: the same model gives the same bytes."""
    # A plain module with the weights in a list: Keras's ExportArchive collects them in sets, in another order each time,
    # and the same model would not be the same bytes.
    module = tf.Module()
    module.weights = [weight.value for weight in vae.weights]
    tf.saved_model.save(module, str(path), functions)
    # It holds a random number, and nothing needs it: the manifest has every file's sha256.
    (path / "fingerprint.pb").unlink(missing_ok=True)
