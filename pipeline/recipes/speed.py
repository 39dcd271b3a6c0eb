"""Measures how fast this machine trains a model, in a process of its own, which loads TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from components.workers.child import run_as_child, start_child

SECONDS = 60  # after which the measurement is given up: a recipe can be written without it


def images_per_second(sections: dict[str, Any], *, height: int, width: int, channels: int, labels: int) -> float | None:
    """Return the images that training sees per second; None: it could not be measured.

    Args:
        sections: A recipe's `model` and `loss`, and of `train` the batch size.
        height: Of an image.
        width: Of an image.
        channels: 1 or 3.
        labels: Number of labels.
    """
    task = {**sections, "shape": [height, width, channels], "labels": labels}
    child = start_child(__name__, stdin=json.dumps(task).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        output, _ = child.process.communicate(timeout=SECONDS)
        child.error()
        return float(json.loads(output)) or None
    except (subprocess.TimeoutExpired, ValueError):
        child.process.kill()
        child.process.communicate()
        child.errors.close()
        return None


def main() -> None:
    """Read the task from standard input, and write the rate."""
    task = json.load(sys.stdin)
    from pydantic import TypeAdapter

    from components.engine.device import prepare_device
    from components.engine.probe import measure, plain_engine
    from schemas.artifacts.records import Statistics
    from schemas.recipe.model import LossSettings, ModelSettings
    from schemas.recipe.recipe import EngineSection

    height, width, channels = task["shape"]
    names = [str(number) for number in range(task["labels"])]
    statistics = Statistics.of_shape(height, width, channels, labels=names)
    prepare_device(deterministic=False)
    rate = measure(
        plain_engine(EngineSection()),
        TypeAdapter(ModelSettings).validate_python(task["model"]),
        TypeAdapter(LossSettings).validate_python(task["loss"]),
        statistics,
        batch_size=task["train"]["batch_size"],
    )
    print(json.dumps(rate))


if __name__ == "__main__":
    sys.exit(run_as_child(main))
