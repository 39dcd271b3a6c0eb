"""Our side of several benchmarks: Examples of real images, and an epoch of `train`'s loop."""

from __future__ import annotations

import math
import time
from pathlib import Path

from components.examples.training_images import TrainingImages
from models.vae import VAE
from pipeline.core import chain
from pipeline.core.run import run_stages
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples


def load_examples(data: Path, recipe: str, runs: Path) -> Examples:
    """Return the Examples that `data` is, or ingest `data` as the recipe's source and return what that wrote."""
    if (data / "manifest.json").exists():
        return Examples(data)
    loaded = load_recipe(recipe, source=str(data))
    [artifact] = run_stages(loaded, chain.stages_for("ingest"), runs=runs, dry_run=False, verbose=False)
    return Examples(artifact.path)


def time_epoch(vae: VAE, images: TrainingImages, *, batch_size: int, limit: int | None = None, epoch: int = 0) -> float:
    """Train for one epoch as `train` does (input, metrics, `fit`), on all images or the first `limit`; return the seconds."""
    data = images.training(batch_size=batch_size, seed=0, first_epoch=epoch, epochs=epoch + 1, limit=limit)
    steps = math.ceil((limit or images.count) / batch_size)
    start = time.perf_counter()
    vae.fit(data, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
    return time.perf_counter() - start
