"""What the screen shows of a training: a bar per epoch, a line per finished epoch, an error when the loss is not finite."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras

from components.examples.dataset import keys_of_batches
from components.reporting.console import bar, say
from components.reporting.numbers import as_loss, setting
from schemas import atomic
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError


class EpochProgress(keras.callbacks.Callback):
    """Draws a bar while an epoch runs, and prints a line when it is done.

    Args:
        epochs: Most epochs of the training.
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
        self.training_seconds: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start a bar."""
        self.update = self.resources.enter_context(bar(f"epoch {epoch + 1}/{self.epochs}", total=self.images))
        self.began = time.monotonic()
        self.training_seconds = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Move the bar."""
        now = time.monotonic()
        if now - self.drawn > 0.2:
            self.drawn = now
            means = logs or {}
            loss, reconstruction, kl = (
                as_loss(means[name], of=means["loss"]) for name in ("loss", "reconstruction", "kl")
            )
            note = f"loss {loss}  reconstruction {reconstruction}  KL {kl}"
            self.update(min(self.images, (batch + 1) * self.batch_size), note)

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Take the time of training alone, before validation."""
        if self.training_seconds is None:
            self.training_seconds = time.monotonic() - self.began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Replace the bar by a line."""
        self.resources.close()
        means = logs or {}
        rate = self.images / (self.training_seconds or time.monotonic() - self.began)
        loss, reconstruction, kl, validation = (
            as_loss(means[name], of=means["val_loss"]) for name in ("loss", "reconstruction", "kl", "val_loss")
        )
        say(
            f"epoch {epoch + 1:>3}/{self.epochs}  loss {loss:>8}  reconstruction {reconstruction:>8}  KL {kl:>6}  "
            f"validation loss {validation:>8}  {rate:7,.0f} images/s"
        )


class StopWhenLost(keras.callbacks.Callback):
    """Ends a training whose loss is no longer finite, before it can pass for a result.

    Args:
        examples: What the training reads.
        batch_size: Images per step.
        seed: Seed of their order.
        learning_rate: The highest of the schedule, for the message.
        path: Where the keys of the last step's images are written.
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
        """Count the epoch's steps from 0."""
        self.epoch, self.step = epoch, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Check the running mean of the loss, in which a NaN stays; of several steps per call, `batch` is the last."""
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
            raise self._error("loss", logs, f"at step {batch + 1}", f"; the images of that step: {self.path}")
        self.step = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Check the validation loss."""
        if not math.isfinite((logs or {}).get("val_loss", 0.0)):
            raise self._error("val_loss", logs, f"after epoch {epoch + 1}", "")

    def _error(self, name: str, logs: dict[str, float] | None, when: str, more: str) -> DataError:
        loss = "validation loss" if name == "val_loss" else "loss"
        return DataError(
            f"train.learning_rate: expected a {loss} that stays finite, found {(logs or {})[name]} {when} with "
            f"{setting(self.learning_rate)}; try {setting(self.learning_rate / 10)}{more}"
        )


def print_epochs(history: list[dict[str, Any]], *, best: int, stopped: bool) -> None:
    """Print a table of the first, best and last epoch, on training and on validation images.

    Args:
        history: Rows of `schemas.artifacts.tables.HISTORY`.
        best: The best epoch, from 0.
        stopped: Whether early stopping ended the training.
    """
    reason = "stopped early: no later epoch was better" if stopped else "all that the recipe asks for"
    say(f"best    epoch {best + 1} of {len(history)} ({reason}); its weights are saved")
    rows = {0: "first", len(history) - 1: "last", best: "best"}  # called best also where it is the first or the last
    say("                       loss  reconstruction       KL   validation: loss  reconstruction       KL")
    for epoch, name in sorted(rows.items()):
        row = history[epoch]
        loss = row["val_loss"]
        figures = "".join(
            f"{as_loss(row[f'{split}loss'], of=loss):>{width}} {as_loss(row[f'{split}reconstruction'], of=loss):>15} "
            f"{as_loss(row[f'{split}kl'], of=loss):>8}"
            for split, width in (("", 11), ("val_", 19))
        )
        say(f"{name:<7} epoch {epoch + 1:>4} {figures}")
