"""Runs without training, for tests of compare. No test is here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from helpers.by_hand import MIXED_SIZE, describe

from schemas.artifacts.kinds import Examples, ModelEvaluation
from schemas.artifacts.manifest import Artifact
from schemas.artifacts.records import encode_example, frame
from schemas.artifacts.tables import IMAGES
from schemas.recipe.recipe import Recipe

MODEL = "12ab" * 16  # digest of the model that `by_hand.seal` says a generator is of
SHARED = range(6, 18)  # test images of the run `colour`; the first six of `grey`'s are not among them


def figure(value: float | None, error: float | None = None, *, better: str = "higher") -> dict[str, Any]:
    """Return a metric as metrics.json has it."""
    return {"value": value, "standard_error": error, "unit": "nats per image", "better": better, "doc": "…"}


def picture(number: int, *, channels: int = 1) -> np.ndarray[Any, Any]:
    """Return an image that differs from all others."""
    return np.random.default_rng(number).integers(0, 256, (MIXED_SIZE, MIXED_SIZE, channels), np.uint8)


def sha256(number: int) -> str:
    """Return the digest of the file that an image was made from."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def write_run(
    folder: Path,
    recipe: Recipe,
    *,
    test: Sequence[int] = range(12),
    train: Sequence[int] = (),
    metrics: dict[str, Any] | None = None,
    labels: Sequence[str] = (),
    **others: Any,
) -> None:
    """Write Examples and an evaluation.

    Args:
        folder: Of the run.
        recipe: Of the run.
        test: Numbers of images in the test split, in their stored order; image i has label i mod their number.
        train: In the training split.
        metrics: Part of ``metrics.json``.
        labels: Their names.
        others: Other parts of it.
    """
    examples = Examples(folder / "examples")
    rows = []
    for split, numbers in (("test", test), ("train", train)):
        shard = examples.split(split) / "data_tfrecord-00000-of-00001"
        shard.parent.mkdir(parents=True, exist_ok=True)
        records = []
        for number in numbers:
            pixels, label = picture(number, channels=recipe.preprocess.channels), number % len(labels) if labels else -1
            records.append(frame(encode_example(pixels, key=f"{number}.png", label=label)))
            rows.append(
                {"key": f"{number}.png", "split": split, "label": None, "sha256": sha256(number), "bytes": 1}
                | {"format": "PNG", "width": MIXED_SIZE, "height": MIXED_SIZE}
                | {"shard": f"Split-{split}/{shard.name}"}
            )
        shard.write_bytes(b"".join(records))
    pq.write_table(pa.Table.from_pylist(rows, IMAGES), examples.images_path)
    counts = {"train": len(train), "validation": 0, "test": len(test)}
    statistics = describe(
        MIXED_SIZE, MIXED_SIZE, recipe.preprocess.channels, images=counts, labels=list(labels), moments={}
    )
    examples.statistics_path.write_text(statistics.model_dump_json())
    seal(examples, recipe, inputs={}, settings={"preprocess": recipe.preprocess.model_dump(mode="json")})
    evaluation = ModelEvaluation(folder / "evaluation")
    evaluation.path.mkdir()
    document = {"images": len(test), "metrics": metrics or {"ssim": figure(0.5, 0.01)}, **others}
    evaluation.metrics_path.write_text(json.dumps(document))
    seal(evaluation, recipe, inputs={"Examples": examples.digest, "Model": MODEL})


def seal(artifact: Artifact, recipe: Recipe, *, inputs: dict[str, str], settings: dict[str, Any] | None = None) -> None:
    """Seal an artifact as the pipeline does."""
    artifact.seal(
        inputs=inputs,
        settings=settings or {},
        counts={},
        recipe=recipe.model_dump(mode="json"),
        versions={},
        duration_seconds=0.0,
        created="today",
    )
