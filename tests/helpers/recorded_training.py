"""A training whose folder is copied at named moments, so that tests can resume from what a kill leaves. No test is here.

A kill leaves the files as they are at that moment. So one recorded training stands for a kill at each of its moments.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.train import fit
from components.train.component import train
from components.train.progress import EpochProgress
from components.train.state import TrainingState
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.settings import TrainSettings

Weights = list[np.ndarray[Any, Any]]


@dataclass
class Record:
    """A training, step by step.

    Attributes:
        model: Its result, once it is done.
        counts: What `train` returned.
        states: The state after each epoch.
        steps: The trainable weights after each step.
        validated: The trainable weights that each validation saw.
        moments: Copies of the training's folder: after each epoch ("epoch 2"), after each step ("step 7"), and before a result
            is written ("model", "history").
    """

    model: Model
    counts: dict[str, int] = field(default_factory=dict)
    states: list[TrainingState] = field(default_factory=list)
    steps: list[Weights] = field(default_factory=list)
    validated: list[Weights] = field(default_factory=list)
    moments: dict[str, Path] = field(default_factory=dict)

    def restore(self, moment: str, folder: Path) -> Model:
        """Put the files of a moment into a folder, as a kill at that moment leaves them."""
        shutil.copytree(self.moments[moment], folder, dirs_exist_ok=True)
        return Model(folder / "artifact", work=folder / "work")


def record_training(examples: Examples, folder: Path, settings: TrainSettings) -> Record:
    """Train in a folder, and keep what each of its moments left."""
    model = open_model(folder / "training")
    with recording(model, copies=folder / "moments") as record:
        record.counts = train(examples, None, model, settings)
    return record


def open_model(folder: Path) -> Model:
    """Make a place for a model, as the pipeline does for its stage."""
    model = Model(folder / "artifact", work=folder / "work")
    model.path.mkdir(parents=True, exist_ok=True)
    model.work.mkdir(parents=True, exist_ok=True)
    return model


def files(model: Model) -> dict[str, bytes]:
    """Return what must not depend on interruptions: all but the logs, which hold wall-clock times."""
    return {
        path.relative_to(model.path).as_posix(): path.read_bytes()
        for path in model.path.rglob("*")
        if path.is_file() and model.logs_path not in path.parents
    }


@contextmanager
def recording(model: Model, *, copies: Path | None = None) -> Iterator[Record]:
    """Record the trainings of this block; without `copies` only their weights and states."""
    record = Record(model)

    def copy(moment: str) -> None:
        if copies is not None:
            record.moments[moment] = copies / moment
            shutil.copytree(model.path.parent, copies / moment)

    write, save, write_table = TrainingState.write, fit.save_model, fit.tables.write_table
    step_ends, batch_validated = EpochProgress.on_train_batch_end, EpochProgress.on_test_batch_end

    def recorded_write(state: TrainingState, path: Path) -> None:
        write(state, path)
        record.states.append(TrainingState.read(path))
        copy(f"epoch {state.epochs}")

    def recorded_step(progress: Any, batch: int, logs: Any = None) -> None:
        record.steps.append(_weights(progress.model))
        copy(f"step {len(record.steps)}")
        step_ends(progress, batch, logs)

    def recorded_validation(progress: Any, batch: int, logs: Any = None) -> None:
        if batch == 0:
            record.validated.append(_weights(progress.model))
        batch_validated(progress, batch, logs)

    def recorded_save(*arguments: Any, **named: Any) -> None:
        copy("model")
        save(*arguments, **named)

    def recorded_table(*arguments: Any) -> None:
        copy("history")
        write_table(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingState, "write", recorded_write)
        patch.setattr(EpochProgress, "on_train_batch_end", recorded_step)
        patch.setattr(EpochProgress, "on_test_batch_end", recorded_validation)
        patch.setattr(fit, "save_model", recorded_save)
        patch.setattr(fit.tables, "write_table", recorded_table)
        yield record


def _weights(vae: Any) -> Weights:
    return [np.array(weight.numpy()) for weight in vae.trainable_variables]
