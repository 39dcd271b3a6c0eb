"""Export from beginning to end."""

from __future__ import annotations

import json
import math
import shutil
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

import models.vae  # noqa: F401  registers the classes that the file names
from components.console import say
from components.dataset import labelled_batches, readable
from components.device import prepare_device
from components.export.parity import parity
from components.export.saved_model import write_saved_model
from models.code_samplers import CodeSampler, from_arrays
from schemas import atomic
from schemas.artifacts import Examples, Generator, Model, ModelEvaluation
from schemas.errors import DataError, UsageError
from schemas.settings import ExportSettings

IMAGES = 64  # real images on which encode and reconstruct are compared


def run(
    model: Model, examples: Examples, evaluation: ModelEvaluation, generator: Generator, settings: ExportSettings
) -> dict[str, int]:
    """See `components.export.component.export`."""
    check_gates(evaluation, despite=settings.export.despite)
    prepare_device()
    say(f"reads   {model.vae_path}")
    vae = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    shutil.rmtree(generator.saved_model_path, ignore_errors=True)
    sampler = read_sampler(evaluation)
    write_saved_model(vae, generator.saved_model_path, sampler=sampler)
    with readable(examples):
        pixels, labels = next(iter(labelled_batches(examples, "test", batch_size=IMAGES, limit=IMAGES)))
    images = np.asarray(vae.crop(pixels, random=False))
    say("checks  the SavedModel in a fresh process")
    given = labels.numpy() if vae.conditional else None
    differences = parity(vae, generator.saved_model_path, images, sampler=sampler, labels=given, work=generator.work)
    name, worst = max(differences.items(), key=lambda item: (math.isnan(item[1]), item[1]))
    limit = settings.export.tolerance
    if not all(difference <= limit for difference in differences.values()):  # NaN is no match for any limit
        raise DataError(
            f"export.tolerance: expected at most {limit:g} from the Keras model, found {worst:.3g} in {name}"
        )
    content = {
        "evaluation": evaluation.digest,
        "sampler": sampler.kind,
        "latent_dim": vae.latent_dim,
        "image_shape": list(vae.image_shape),
        "tolerance": limit,
        "largest_absolute_difference": differences,
    }
    atomic.write_text(generator.parity_path, json.dumps(content, indent=1) + "\n")
    size = sum(path.stat().st_size for path in generator.saved_model_path.rglob("*") if path.is_file())
    say(
        f"wrote   SavedModel, {size / 1e6:.1f} MB: encode, decode, reconstruct, generate; largest difference {worst:.1e}"
    )
    return {"saved_model_bytes": size, "latent_dim": vae.latent_dim}


def check_gates(evaluation: ModelEvaluation, *, despite: tuple[str, ...]) -> None:
    """Refuses a model that does not reach what its recipe demands, save what is named.

    Raises:
        UsageError: `export.despite` names what is no gate.
        DataError: A gate that is not named failed.
    """
    found = json.loads(evaluation.metrics_path.read_bytes())["gates"]
    names = {gate["gate"] for gate in found}
    if unknown := set(despite) - names:
        expected = ", ".join(sorted(names)) or "none, as evaluate.gates has none"
        raise UsageError(f"export.despite: expected gates of evaluate.gates ({expected}), found {min(unknown)}")
    failed = [gate for gate in found if not gate["passed"] and gate["gate"] not in despite]
    for gate in found:
        if not gate["passed"] and gate["gate"] in despite:
            say(f"despite {gate['gate']}: expected {gate['expected']}, found {_figure(gate)}")
    if failed:
        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise DataError(
            f"evaluate.gates: expected {first['gate']} {first['expected']}, found {_figure(first)}{more}; a better model passes; "
            f"export.despite=[{', '.join(gate['gate'] for gate in failed)}] exports this one all the same"
        )


def _figure(gate: dict[str, Any]) -> str:
    return str(gate["why"]) if gate["found"] is None else f"{gate['found']:.6g}"


def read_sampler(evaluation: ModelEvaluation) -> CodeSampler:
    """Where codes of new images come from, as evaluate found it.

    Raises:
        DataError: The file holds something else.
    """
    try:
        # Opened here: NumPy leaves a file open that turns out to be broken.
        with evaluation.sampler_path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = dict(found)
        return from_arrays(str(arrays.pop("kind")), arrays)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{evaluation.sampler_path}: expected a sampler of codes, found something else ({error}); to make it again, remove "
            f"{evaluation.path}"
        ) from None
