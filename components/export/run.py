"""Export from beginning to end."""

from __future__ import annotations

import json
import math
import shutil

import keras
import numpy as np

import models.vae  # noqa: F401  registers the classes that the file names
from components.console import say
from components.dataset import labelled_batches, readable
from components.device import prepare_device
from components.export.parity import parity
from components.export.saved_model import write_saved_model
from schemas import atomic
from schemas.artifacts import Examples, Generator, Model, ModelEvaluation
from schemas.errors import DataError
from schemas.settings import ExportSettings

IMAGES = 64  # real images on which encode and reconstruct are compared


def run(
    model: Model, examples: Examples, evaluation: ModelEvaluation, generator: Generator, settings: ExportSettings
) -> dict[str, int]:
    """See `components.export.component.export`."""
    prepare_device()
    say(f"reads   {model.vae_path}")
    vae = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    shutil.rmtree(generator.saved_model_path, ignore_errors=True)
    write_saved_model(vae, generator.saved_model_path)
    with readable(examples):
        pixels, labels = next(iter(labelled_batches(examples, "test", batch_size=IMAGES, limit=IMAGES)))
    images = np.asarray(vae.crop(pixels, random=False))
    say("checks  the SavedModel in a fresh process")
    given = labels.numpy() if vae.conditional else None
    differences = parity(vae, generator.saved_model_path, images, labels=given, work=generator.work)
    name, worst = max(differences.items(), key=lambda item: (math.isnan(item[1]), item[1]))
    limit = settings.export.tolerance
    if not all(difference <= limit for difference in differences.values()):  # NaN is no match for any limit
        raise DataError(
            f"export.tolerance: expected at most {limit:g} from the Keras model, found {worst:.3g} in {name}"
        )
    content = {
        "evaluation": evaluation.digest,
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
