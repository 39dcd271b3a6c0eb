"""A `.keras` file whose bytes depend on the model alone.

Keras writes the time into it, and numbers shared objects by their address in memory. Both are replaced, so that the same
training gives the same file and the same digest.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from schemas import atomic

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file can hold


def save_model(model: keras.Model, path: Path, *, work: Path) -> None:
    """Save a model, whole or not at all; `work` is a scratch folder."""
    scratch = work / "scratch.keras"
    model.save(scratch)
    with atomic.replacing(path) as temporary:
        _rewrite(scratch, temporary)


def _rewrite(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in sorted(old.namelist()):
            data = old.read(name)
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "date_saved": "1980-01-01@00:00:00"}).encode()
            elif name == "config.json":
                data = json.dumps(_renumber(json.loads(data), {})).encode()
            new.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def _renumber(value: Any, ranks: dict[int, int]) -> Any:
    """Replace addresses by their rank in order of appearance."""
    if isinstance(value, dict):
        return {
            key: ranks.setdefault(item, len(ranks)) if key == "shared_object_id" else _renumber(item, ranks)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renumber(item, ranks) for item in value]
    return value
