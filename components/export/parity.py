"""Whether a SavedModel, loaded by somebody else, does what the Keras model does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from components.export import fresh_process
from components.export.conditional import DRAWN
from components.export.draws import sampled_codes, seeded_labels
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.errors import DataError

SEED = 20240
CODES = 64
TEMPERATURE = 0.9  # another than most ask for


def parity(
    vae: VAE,
    saved_model: Path,
    images: np.ndarray,
    *,
    sampler: CodeSampler | None = None,
    labels: np.ndarray | None = None,
    work: Path,
) -> dict[str, float]:
    """Largest absolute difference of each signature from the Keras model; pixels on the scale 0 to 1.

    Args:
        vae: The Keras model.
        saved_model: What is loaded in a fresh process.
        images: Real images [N, H, W, C], uint8.
        sampler: Of the codes of new images; none: the prior.
        labels: Theirs [N], where the model is conditional.
        work: Scratch folder.

    Raises:
        DataError: The fresh process could not load or run it.
    """
    drawn = {"start": 0, "count": CODES}
    of_codes, inputs = None, images
    if labels is not None:
        inputs = {"pixels": images, "labels": labels}
        of_codes = np.asarray(seeded_labels(SEED, **drawn, shares=vae.label_shares))
    codes = np.asarray(
        sampled_codes(
            sampler or vae.prior_sampler(),
            SEED,
            **drawn,
            latent_dim=vae.latent_dim,
            labels=of_codes,
            temperature=np.float32(TEMPERATURE),
        )
    )
    given: dict[str, Any] = {"generate.seed": np.int64(SEED), "generate.start": np.int64(0)}
    given |= {"generate.count": np.int32(CODES), "generate.temperature": np.float32(TEMPERATURE), "decode.codes": codes}
    given |= {"encode.images": images, "reconstruct.images": images}
    if labels is not None:
        given |= {"generate.label": np.int64(DRAWN), "decode.labels": of_codes}
        given |= {"encode.labels": labels, "reconstruct.labels": labels}
    found = _called(saved_model, given, work=work)
    mean, log_variance = vae.encode(inputs)
    unit = vae.normalise.to_unit
    expected: dict[str, Any] = {
        "encode.mean": mean,
        "encode.log_variance": log_variance,
        "decode.values": unit(vae.decode(codes, of_codes)),
        "reconstruct.values": unit(vae.decode(mean, labels)),
        "generate.values": unit(vae.decode(codes, of_codes)),
        "generate.codes": codes,
    }
    if labels is not None:
        expected["generate.labels"] = of_codes
    return {name: float(np.max(np.abs(found[name] - np.asarray(want)))) for name, want in expected.items()}


def _called(saved_model: Path, given: dict[str, Any], *, work: Path) -> dict[str, np.ndarray]:
    """What a SavedModel answers in a fresh process."""
    inputs, outputs = work / "parity-inputs.npz", work / "parity-outputs.npz"
    np.savez(inputs, **given)
    command = [sys.executable, fresh_process.__file__, str(saved_model), str(inputs), str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{saved_model}: expected a SavedModel that loads in a fresh process, found: {last}")
    with np.load(outputs, allow_pickle=False) as found:
        return dict(found)
