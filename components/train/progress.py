"""What a person sees of a training: a bar per epoch while it runs, a line when it is done, an error when it is lost."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack

import keras

from components.console import bar, say
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
        self.began = 0.0
        self.trained: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts a bar."""
        self.update = self.resources.enter_context(bar(f"epoch {epoch + 1}/{self.epochs}", total=self.images))
        self.began = time.monotonic()
        self.trained = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the bar."""
        self.update(min(self.images, (batch + 1) * self.batch_size))

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
    """Ends a training whose loss is no longer a number, before it can be taken for a result."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Looks at the running mean of the loss, in which a NaN stays."""
        self._check("loss", logs, f"at step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Looks at the validation loss."""
        self._check("val_loss", logs, f"after epoch {epoch + 1}")

    def _check(self, name: str, logs: dict[str, float] | None, when: str) -> None:
        loss = (logs or {}).get(name, 0.0)
        if not math.isfinite(loss):
            rate = float(self.model.optimizer.learning_rate.numpy())
            said = "validation loss" if name == "val_loss" else "loss"
            raise DataError(
                f"train.learning_rate: expected a {said} that stays finite, found {loss} {when} with {rate:g}; "
                f"try {rate / 10:g}"
            )
