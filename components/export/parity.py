"""Whether a generator, loaded by somebody else, does what the Keras model does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.export import fresh_process
from components.export.signatures import DRAWN
from components.latents.noise import sampled_codes, seeded_labels
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.errors import DataError

SEED = 20240
CODES = 64
STEPS = 7
TEMPERATURE = 0.9  # another than most ask for
LEVELS = 1.0  # that a pixel of 0 to 255 may differ by: a value near a half may be rounded either way

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Parity:
    """What a form of the generator is asked, and what the Keras model answers; by ``<signature>.<argument or result>``.

    Attributes:
        given: Arguments.
        expected: Results. `images` are on the scale 0 to 255, `values` on that of 0 to 1.
    """

    given: Arrays
    expected: Arrays

    def differences(self, form: str, generator: Path, *, signatures: Iterable[str], work: Path) -> dict[str, float]:
        """Largest absolute difference of each result from the Keras model's, in a fresh process.

        Raises:
            DataError: The fresh process could not load or run it.
        """
        found = ask(form, generator, _of(self.given, signatures), work=work)
        return {
            name: float(np.max(np.abs(found[name].astype(np.float64) - want)))
            for name, want in _of(self.expected, signatures).items()
        }

    def bound(self, name: str, tolerance: float) -> float:
        """How much a result may differ: the tolerance, times the largest number where that is beyond 1."""
        if name.endswith(".images"):
            return LEVELS
        return tolerance * max(1.0, float(np.max(np.abs(self.expected[name]))))


def keras_answers(vae: VAE, images: np.ndarray, *, sampler: CodeSampler, labels: np.ndarray | None = None) -> Parity:
    """What the Keras model makes of fixed codes and some images.

    Args:
        vae: The Keras model.
        images: Real ones [N, H, W, C], uint8.
        sampler: Of the codes of new images.
        labels: The images' [N], where the model is conditional.
    """
    stretch = {"start": 0, "count": CODES}
    warmth, rng = np.float32(TEMPERATURE), np.random.default_rng(SEED)
    inputs, of_codes = images, None
    if labels is not None:
        inputs = {"pixels": images, "labels": labels}
        of_codes = np.asarray(seeded_labels(SEED, **stretch, shares=vae.label_shares))
    drawn = {"latent_dim": vae.latent_dim, "labels": of_codes, "temperature": warmth}
    codes = np.asarray(sampled_codes(sampler, SEED, **stretch, **drawn))
    normal = rng.standard_normal((CODES, vae.latent_dim)).astype(np.float32)
    uniform = rng.random(CODES).astype(np.float32)
    mean, log_variance = (np.asarray(values) for values in vae.encode(inputs))
    ends, shares = np.resize(np.arange(len(images)), 2), np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    between = mean[ends[0]] + shares * (mean[ends[1]] - mean[ends[0]])
    nearer = None if labels is None else np.where(shares[:, 0] < 0.5, *labels[ends])
    given: dict[str, Any] = {
        "encode.images": images,
        "decode.codes": codes,
        "reconstruct.images": images,
        "interpolate.images": images[ends],
        "interpolate.steps": np.int32(STEPS),
        "sample.normal": normal,
        "sample.uniform": uniform,
        "sample.temperature": warmth,
        "generate.seed": np.int64(SEED),
        "generate.start": np.int64(0),
        "generate.count": np.int32(CODES),
        "generate.temperature": warmth,
    }
    expected = {
        "encode.mean": mean,
        "encode.log_variance": log_variance,
        **_made(vae, "decode", codes, of_codes),
        **_made(vae, "reconstruct", mean, labels),
        **_made(vae, "interpolate", between, nearer),
        "sample.codes": sampler.codes(normal, uniform, of_codes, temperature=warmth),
        **_made(vae, "generate", codes, of_codes),
        "generate.codes": codes,
    }
    if labels is not None:
        given |= {"encode.labels": labels, "reconstruct.labels": labels, "interpolate.labels": labels[ends]}
        given |= {"decode.labels": of_codes, "sample.labels": of_codes, "generate.label": np.int64(DRAWN)}
        expected["generate.labels"] = of_codes
    return Parity(
        {name: np.asarray(value) for name, value in given.items()},
        {name: np.asarray(value) for name, value in expected.items()},
    )


def ask(form: str, generator: Path, given: Arrays, *, work: Path) -> Arrays:
    """What a form of a generator answers in a fresh process, which leaves what it took in ``outputs.json`` of `work`.

    Raises:
        DataError: The fresh process could not load or run it.
    """
    inputs, outputs = work / "inputs.npz", work / "outputs.npz"
    np.savez(inputs, **given)  # type: ignore[arg-type]  # numpy's own flag among them
    command = [sys.executable, fresh_process.__file__, form, str(generator), str(inputs), str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{generator / form}: expected what loads in a fresh process, found: {last}")
    with np.load(outputs, allow_pickle=False) as found:
        return dict(found)


def took(work: Path) -> dict[str, Any]:
    """What the last fresh process took."""
    found: dict[str, Any] = json.loads((work / "outputs.json").read_bytes())
    return found


def _made(vae: VAE, name: str, codes: Any, labels: Any) -> Arrays:
    normalised = vae.decode(codes, labels)
    made = {"images": vae.normalise.to_pixels(normalised), "values": vae.normalise.to_unit(normalised)}
    return {f"{name}.{key}": np.asarray(value) for key, value in made.items()}


def _of(arrays: Arrays, signatures: Iterable[str]) -> Arrays:
    wanted = set(signatures)
    return {name: values for name, values in arrays.items() if name.split(".")[0] in wanted}
