"""What a person sees of a training: a bar per epoch while it runs, a line when it is done, an error when it is lost."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras

from components.examples.dataset import keys_of_batches
from components.reporting.console import bar, say
from schemas import atomic
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError


class EpochProgress(keras.callbacks.Callback):
    """Draws the bar and prints the line.

    Args:
        epochs: Most epochs, for the lines.
        images: Training images per epoch.
        batch_size: Images per step.
    """

    def __init__(self, *, epochs: int, images: int, batch_size: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.images = images
        self.batch_size = batch_size
        self.resources = ExitStack()
        self.began = self.drawn = 0.0
        self.trained: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts a bar."""
        self.update = self.resources.enter_context(bar(f"epoch {epoch + 1}/{self.epochs}", total=self.images))
        self.began = time.monotonic()
        self.trained = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the bar."""
        now = time.monotonic()
        if now - self.drawn > 0.2:
            self.drawn = now
            found = logs or {}
            note = f"loss {found['loss']:.3f}  reconstruction {found['reconstruction']:.3f}  KL {found['kl']:.3f}"
            self.update(min(self.images, (batch + 1) * self.batch_size), note)

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Validation begins: the time of training alone is known."""
        if self.trained is None:
            self.trained = time.monotonic() - self.began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Ends the bar with a line."""
        self.resources.close()
        found = logs or {}
        rate = self.images / (self.trained or time.monotonic() - self.began)
        say(
            f"epoch {epoch + 1:>3}/{self.epochs}  loss {found['loss']:9.3f}  reconstruction {found['reconstruction']:9.3f}"
            f"  KL {found['kl']:7.3f}  validation {found['val_loss']:9.3f}  {rate:7,.0f} images/s"
        )


class StopWhenLost(keras.callbacks.Callback):
    """Ends a training whose loss is no longer a number, before it can be taken for a result.

    Args:
        examples: What is trained on.
        batch_size: Images per step.
        seed: Of their order.
        learning_rate: As set or tuned; a schedule may have been below it.
        path: Where the keys of the images are written that it was lost on.
    """

    def __init__(self, examples: Examples, *, batch_size: int, seed: int, learning_rate: float, path: Path) -> None:
        super().__init__()
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.learning_rate = learning_rate
        self.path = path
        self.epoch = self.step = 0  # the step that comes next

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """A new count."""
        self.epoch, self.step = epoch, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Looks at the running mean of the loss, in which a NaN stays. (Of several steps per call, `batch` is the last.)"""
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            keys = keys_of_batches(
                self.examples,
                batch_size=self.batch_size,
                seed=self.seed,
                epoch=self.epoch,
                first=self.step,
                count=batch + 1 - self.step,
            )
            atomic.write_text(self.path, "".join(f"{key}\n" for key in keys))
            raise self._lost("loss", logs, f"at step {batch + 1}", f"; the images of that step: {self.path}")
        self.step = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Looks at the validation loss."""
        if not math.isfinite((logs or {}).get("val_loss", 0.0)):
            raise self._lost("val_loss", logs, f"after epoch {epoch + 1}", "")

    def _lost(self, name: str, logs: dict[str, float] | None, when: str, more: str) -> DataError:
        said = "validation loss" if name == "val_loss" else "loss"
        return DataError(
            f"train.learning_rate: expected a {said} that stays finite, found {(logs or {})[name]} {when} with "
            f"{self.learning_rate:g}; try {self.learning_rate / 10:g}{more}"
        )


def tell_epochs(history: list[dict[str, Any]], *, best: int, stopped: bool) -> None:
    """A table of the training: its first, best and last epoch, on training and on validation images.

    Args:
        history: Rows of `schemas.artifacts.tables.HISTORY`.
        best: The best epoch, from 0.
        stopped: Whether early stopping has ended it.
    """
    why = "stopped early" if stopped else "all epochs run"
    say(f"best    epoch {best + 1} of {len(history)} ({why}); it is kept")
    rows = {0: "first", len(history) - 1: "last", best: "best"}  # the best, where it is one of the others, too
    say("                       loss  reconstruction       KL   validation: loss  reconstruction       KL")
    for epoch, name in sorted(rows.items()):
        row = history[epoch]
        figures = "".join(
            f"{row[f'{split}loss']:{width}.3f} {row[f'{split}reconstruction']:15.3f} {row[f'{split}kl']:8.3f}"
            for split, width in (("", 11), ("val_", 19))
        )
        say(f"{name:<7} epoch {epoch + 1:>4} {figures}")
