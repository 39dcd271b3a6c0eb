"""The state of a training, from which it resumes after a kill without any difference: one file, whole or not there.

Keras's BackupAndRestore saves weights and optimizer, but neither the memory of EarlyStopping nor the best weights.
"""

from __future__ import annotations

import io
import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.typing import NDArray

from components.reporting.console import say
from schemas import atomic
from schemas.errors import DataError


@dataclass
class TrainingState:
    """The state of a training after an epoch.

    Attributes:
        epochs: Finished epochs.
        best: Lowest validation loss so far.
        best_epoch: Its epoch, from 0.
        wait: Epochs since then.
        stopped: Whether early stopping has ended the training.
        history: A row per epoch (`schemas.artifacts.tables.HISTORY`).
        variables: The model's, random states included, and the optimizer's, learning rate included.
        best_weights: The model's weights after the best epoch.
    """

    epochs: int = 0
    best: float | None = None
    best_epoch: int = 0
    wait: int = 0
    stopped: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    variables: list[NDArray[Any]] = field(default_factory=list)
    best_weights: list[NDArray[Any]] = field(default_factory=list)

    def finished(self, epochs: int) -> bool:
        """Return whether a training of at most `epochs` epochs is over."""
        return self.stopped or self.epochs >= epochs

    def write(self, path: Path) -> None:
        """Write everything as one NumPy archive, and keep the previous one beside it."""
        scalars = {key: value for key, value in asdict(self).items() if key not in ("variables", "best_weights")}
        arrays: dict[str, Any] = {f"variable_{index:04d}": value for index, value in enumerate(self.variables)}
        arrays |= {f"best_{index:04d}": value for index, value in enumerate(self.best_weights)}
        buffer = io.BytesIO()
        np.savez(buffer, state=np.frombuffer(json.dumps(scalars).encode(), np.uint8), **arrays)
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())
            atomic.fsync(temporary)
            if path.exists():
                os.replace(path, before(path))

    @classmethod
    def read(cls, path: Path) -> TrainingState:
        """Read the last state, or the previous one if that is broken; return a new state where nothing was written.

        Raises:
            DataError: Both files are broken.
        """
        paths = [candidate for candidate in (path, before(path)) if candidate.exists()]
        if not paths:
            return cls()
        try:
            return cls._read(paths[0])
        except DataError as error:
            if len(paths) == 1:
                raise
            say(f"{error}".replace("remove it to begin anew", "resumes from the previous one"))
            return cls._read(paths[1])

    @classmethod
    def _read(cls, path: Path) -> TrainingState:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                scalars = json.loads(archive["state"].tobytes())
                names = sorted(archive.files)
                variables = [archive[name] for name in names if name.startswith("variable_")]
                best_weights = [archive[name] for name in names if name.startswith("best_")]
        except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise DataError(
                f"{path}: expected the state of a training, found a broken file ({error}); remove it to begin anew"
            ) from None
        return cls(**scalars, variables=variables, best_weights=best_weights)


def before(path: Path) -> Path:
    """Return the path of the previous state."""
    return path.with_name(f"before-{path.name}")


class ResumableEarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping on the validation loss that writes its memory, and all the rest, into a TrainingState.

    Args:
        path: The state's file, written after each epoch.
        state: The state to begin from.
        patience: Epochs without a better validation loss before training stops.
    """

    def __init__(self, path: Path, state: TrainingState, *, patience: int) -> None:
        super().__init__(monitor="val_loss", mode="min", patience=patience, restore_best_weights=True)
        self.path = path
        self.state = state

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the state."""
        super().on_train_begin(logs)
        if self.state.epochs:
            self.best = self.state.best
            self.best_epoch = self.state.best_epoch
            self.best_weights = self.state.best_weights
            self.wait = self.state.wait
            for variable, value in zip(self._variables(), self.state.variables, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compare the epoch with the best one, then write the state."""
        super().on_epoch_end(epoch, logs)
        row = {key: float(value) for key, value in (logs or {}).items()}
        row |= {"epoch": epoch + 1, "learning_rate": float(self.model.optimizer.learning_rate.numpy())}
        self.state.epochs = epoch + 1
        self.state.best = None if self.best is None else float(self.best)
        self.state.best_epoch = self.best_epoch
        self.state.wait = self.wait
        self.state.stopped = bool(self.model.stop_training)
        self.state.history.append(row)
        self.state.variables = [np.asarray(variable.numpy()) for variable in self._variables()]
        self.state.best_weights = self.best_weights
        self.state.write(self.path)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]
