"""Whether a SavedModel, loaded by somebody else, does what the Keras model does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from components.export import fresh_process
from components.export.saved_model import seeded_codes
from models.vae import VAE
from schemas.errors import DataError

SEED = 20240
CODES = 64


def parity(vae: VAE, saved_model: Path, images: np.ndarray, *, work: Path) -> dict[str, float]:
    """Largest absolute difference of each signature from the Keras model; pixels on the scale 0 to 1.

    Args:
        vae: The Keras model.
        saved_model: What is loaded in a fresh process.
        images: Real images [N, H, W, C], uint8.
        work: Scratch folder.

    Raises:
        DataError: The fresh process could not load or run it.
    """
    codes = np.asarray(seeded_codes(SEED, start=0, count=CODES, latent_dim=vae.latent_dim))
    inputs, outputs = work / "parity-inputs.npz", work / "parity-outputs.npz"
    np.savez(inputs, codes=codes, images=images, seed=SEED)
    command = [sys.executable, fresh_process.__file__, str(saved_model), str(inputs), str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{saved_model}: expected a SavedModel that loads in a fresh process, found: {last}")
    mean, log_variance = vae.encode(images)
    unit = vae.normalise.to_unit
    expected: dict[str, Any] = {
        "encode.mean": mean,
        "encode.log_variance": log_variance,
        "decode.values": unit(vae.decode(codes)),
        "reconstruct.values": unit(vae.decode(mean)),
        "generate.values": unit(vae.decode(codes)),
        "generate.codes": codes,
    }
    with np.load(outputs, allow_pickle=False) as found:
        return {name: float(np.max(np.abs(found[name] - np.asarray(want)))) for name, want in expected.items()}
