"""The last epochs of a training, on the importance-weighted bound."""

from __future__ import annotations

import keras


class ImportanceWeighted(keras.callbacks.Callback):
    """Makes the loss the bound of several codes per image from an epoch on, in training and in validation.

    On average the bound is at most the loss of one code. So the best epoch is one of these if they gain anything.

    Args:
        first: The epoch, from 0.
        samples: Codes per image.
    """

    def __init__(self, *, first: int, samples: int) -> None:
        super().__init__()
        self.first = first
        self.samples = samples

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Change the loss, and have the steps traced anew, once."""
        if epoch >= self.first and self.model.importance_samples != self.samples:
            self.model.importance_samples = self.samples
            self.model.make_train_function(force=True)
            self.model.make_test_function(force=True)
