"""Comparison of a generator, loaded in a fresh process, with the Keras model."""

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
from numpy.typing import NDArray

from components.export import fresh_process
from components.latents.noise import sampled_codes, seeded_labels
from components.workers.child import failure_in
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.artifacts.generator import DRAWN
from schemas.errors import DataError

SEED = 20240
CODES = 64
STEPS = 7
TEMPERATURE = 0.9  # not 1, so that a form that ignores it is caught
LEVELS = 1.0  # that a pixel of 0 to 255 may differ by: a value near a half may be rounded either way

Arrays = dict[str, NDArray[Any]]
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Parity:
    """Arguments for a generator's signatures, and the results of the Keras model.

    Attributes:
        arguments: By ``<signature>.<argument>``.
        expected: By ``<signature>.<result>``. `images` are on the scale 0 to 255, `values` on that of 0 to 1.
    """

    arguments: Arrays
    expected: Arrays

    def differences(self, form: str, generator: Path, *, signatures: Iterable[str], work: Path) -> dict[str, float]:
        """Return the largest absolute difference of each result from the Keras model's, in a fresh process.

        Raises:
            DataError: The fresh process could not load or run the generator.
        """
        names = set(signatures)
        results = call_in_fresh_process(form, generator, _select_signatures(self.arguments, names), work=work)
        return {
            name: float(np.max(np.abs(results[name].astype(np.float64) - expected)))
            for name, expected in _select_signatures(self.expected, names).items()
        }

    def bound(self, name: str, tolerance: float) -> float:
        """Return how much a result may differ: the tolerance, times the largest number where that is above 1."""
        if name.endswith(".images"):
            return LEVELS
        return tolerance * max(1.0, float(np.max(np.abs(self.expected[name]))))


def keras_results(vae: VAE, images: Images, *, sampler: CodeSampler, labels: Labels | None = None) -> Parity:
    """Return what the Keras model computes from fixed codes and from images.

    Args:
        vae: The Keras model.
        images: Real images [N, H, W, C].
        sampler: Sampler of the codes of new images.
        labels: Labels of the images [N], where the model is conditional.
    """
    temperature, random = np.float32(TEMPERATURE), np.random.default_rng(SEED)
    inputs: Any = images
    code_labels = None
    if labels is not None:
        inputs = {"pixels": images, "labels": labels}
        code_labels = np.asarray(seeded_labels(SEED, start=0, count=CODES, shares=vae.label_shares))
    codes = np.asarray(
        sampled_codes(
            sampler,
            SEED,
            start=0,
            count=CODES,
            latent_dim=vae.latent_dim,
            labels=code_labels,
            temperature=temperature,
        )
    )
    normal = random.standard_normal((CODES, vae.latent_dim)).astype(np.float32)
    uniform = random.random(CODES).astype(np.float32)
    mean, log_variance = (np.asarray(values) for values in vae.encode(inputs))
    ends, shares = np.resize(np.arange(len(images)), 2), np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    points = mean[ends[0]] + shares * (mean[ends[1]] - mean[ends[0]])
    nearer = None if labels is None else np.where(shares[:, 0] < 0.5, *labels[ends])
    arguments: dict[str, Any] = {
        "encode.images": images,
        "decode.codes": codes,
        "reconstruct.images": images,
        "interpolate.images": images[ends],
        "interpolate.steps": np.int32(STEPS),
        "sample.normal": normal,
        "sample.uniform": uniform,
        "sample.temperature": temperature,
        "generate.seed": np.int64(SEED),
        "generate.start": np.int64(0),
        "generate.count": np.int32(CODES),
        "generate.temperature": temperature,
    }
    expected: dict[str, Any] = {
        "encode.mean": mean,
        "encode.log_variance": log_variance,
        **_decoded(vae, "decode", codes, code_labels),
        **_decoded(vae, "reconstruct", mean, labels),
        **_decoded(vae, "interpolate", points, nearer),
        "sample.codes": sampler.codes(normal, uniform, code_labels, temperature=temperature),
        **_decoded(vae, "generate", codes, code_labels),
        "generate.codes": codes,
    }
    if labels is not None:
        arguments |= {"encode.labels": labels, "reconstruct.labels": labels, "interpolate.labels": labels[ends]}
        arguments |= {"decode.labels": code_labels, "sample.labels": code_labels, "generate.label": np.int64(DRAWN)}
        expected["generate.labels"] = code_labels
    return Parity(
        {name: np.asarray(value) for name, value in arguments.items()},
        {name: np.asarray(value) for name, value in expected.items()},
    )


def call_in_fresh_process(form: str, generator: Path, arguments: Arrays, *, work: Path) -> Arrays:
    """Return a generator's results in a fresh process, which writes its time and memory to ``outputs.json`` of `work`.

    Raises:
        DataError: The fresh process could not load or run the generator.
    """
    inputs, outputs = work / "inputs.npz", work / "outputs.npz"
    np.savez(inputs, **arguments)  # type: ignore[arg-type]  # numpy's own flag among them
    command = [sys.executable, fresh_process.__file__, form, str(generator), str(inputs), str(outputs)]
    # Without this project's packages on its path, as in the programs of other people.
    environment = {**os.environ, "PYTHONPATH": ""}
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if process.returncode:
        status = process.returncode
        reason = failure_in(process.stderr) or (f"signal {-status}" if status < 0 else f"status {status}")
        raise DataError(f"{generator / form}: expected a form that loads in a fresh process, found: {reason}")
    with np.load(outputs, allow_pickle=False) as results:
        return dict(results)


def time_and_memory(work: Path) -> dict[str, Any]:
    """Return the time and memory of the last fresh process."""
    infra: dict[str, Any] = json.loads((work / "outputs.json").read_bytes())
    return infra


def _decoded(vae: VAE, name: str, codes: Any, labels: Any) -> Arrays:
    """Return the results `images` and `values` of a signature."""
    normalised = vae.decode(codes, labels)
    results = {"images": vae.normalise.to_pixels(normalised), "values": vae.normalise.to_unit(normalised)}
    return {f"{name}.{key}": np.asarray(value) for key, value in results.items()}


def _select_signatures(arrays: Arrays, names: set[str]) -> Arrays:
    return {key: values for key, values in arrays.items() if key.split(".")[0] in names}
