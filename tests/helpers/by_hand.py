"""Artifacts and recipes that tests write by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import trust
from schemas.artifacts.kinds import Generator, ModelEvaluation
from schemas.artifacts.records import Statistics
from schemas.recipe.recipe import Recipe

MIXED_SIZE = 8  # pixels, in height and width


def describe(height: int = 8, width: int = 8, channels: int = 1, **others: Any) -> Statistics:
    """Return the statistics of Examples of such images: uint8, unit scale, no labels, no images, no margin."""
    fields: dict[str, Any] = {
        "height": height,
        "width": width,
        "channels": channels,
        "stored_height": height,
        "stored_width": width,
        "store": "uint8",
        "normalise": "unit",
        "mean": [0.0] * channels,
        "deviation": [1.0] * channels,
        "train_mean": [0.5] * channels,
        "train_deviation": [0.3] * channels,
        "labels": [],
        "images": {"train": 0, "validation": 0, "test": 0},
        "images_per_label": {},
        "rejected": {},
    }
    fields |= {"records": others.get("images", fields["images"])}
    return Statistics(**{**fields, **others})


def seal(generator: Generator, recipe: Recipe) -> None:
    """Seal a generator as the pipeline does after export, and trust it."""
    generator.seal(
        inputs={"Model": "12ab" * 16},
        settings={},
        counts={},
        recipe=recipe.model_dump(mode="json"),
        versions={},
        duration_seconds=0.0,
        created="today",
    )
    trust.remember(generator)


def write_recipe(folder: Path, name: str, *, channels: int = 1, conditional: bool = False) -> Recipe:
    """Write a recipe file, for ``--recipe <folder>/<name>.yaml``; return the recipe."""
    recipe = {
        "name": name,
        "sources": [{"kind": "digits"}],
        "preprocess": {"height": MIXED_SIZE, "width": MIXED_SIZE, "channels": channels},
        "model": {"network": "dense", "latent_dim": 3, "hidden": [16], "conditional": conditional},
        "loss": {"likelihood": "bernoulli"},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(recipe))  # JSON is YAML
    return Recipe.model_validate(recipe)


def write_evaluation(evaluation: ModelEvaluation, *, gates: Sequence[dict[str, Any]] = ()) -> None:
    """Write the files of an evaluation that export reads."""
    evaluation.path.mkdir(parents=True, exist_ok=True)
    left_out = {"left_out": "evaluate.distance_images is 0"}
    metrics = {
        "images": 16,
        "metrics": {"mse": {"value": 0.25, "standard_error": None, "unit": "per pixel", "better": "lower"}},
        "distances": left_out,
        "usefulness": left_out,
        "memorisation": left_out,
        "gates": list(gates),
    }
    evaluation.metrics_path.write_text(json.dumps(metrics))
    with evaluation.sampler_path.open("wb") as file:
        np.savez(file, kind=np.array("normal"), latent_dim=np.array(3))
