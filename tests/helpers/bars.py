"""A recipe that runs in seconds, its images of bars, and what two of its artifacts must have in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from schemas.artifacts.manifest import Artifact, Manifest

RECIPE = {
    "name": "bars",
    "title": "Bars, lying and standing",
    "sources": [{"kind": "array", "path": "bars.npz"}],
    "preprocess": {"height": 12, "width": 12, "channels": 1, "validation": 0.2, "test": 0.2},
    "model": {"network": "dense", "latent_dim": 3, "hidden": [16]},
    "loss": {"likelihood": "bernoulli"},
    "train": {"epochs": 3, "batch_size": 32, "deterministic": True},
    "tune": {"max_trials": 3, "epochs": 1, "space": {"model.latent_dim": [2, 3]}},
    "export": {"formats": []},
    "generate": {"count": 300, "shards": 3, "format": "parquet"},
}


def draw_bars(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright bars on grey noise, lying where the label is 0 and standing where it is 1: [count, 12, 12] and [count]."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, 12, 12), dtype=np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(1, 10)
        (image if label == 0 else image.T)[place : place + 2] = 255
    return images, labels


def times(folder: Path) -> dict[Path, int]:
    """When each file was last written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def assert_same(made: Artifact, expected: Manifest) -> None:
    """Check that an artifact is whole, and its files are the expected ones but for those that hold wall-clock times."""
    assert made.damage(thorough=True) == []
    assert made.manifest.digest == expected.digest
    lasting = {name for name in expected.files if not name.startswith(made.VOLATILE or ("\0",))}
    assert {name: made.manifest.files[name] for name in lasting} == {name: expected.files[name] for name in lasting}
