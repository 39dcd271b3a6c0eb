"""The moving average of the weights, used wherever the model is validated or saved.

Keras's own SwapEMAWeights swaps by adding and subtracting, which rounds the weights that training goes on with.
"""

from __future__ import annotations

from typing import Any

import keras


class AveragedWeights(keras.callbacks.Callback):
    """Swaps weights and averages: from an epoch's validation until the next epoch the model holds the averages.

    Meanwhile the optimizer holds the weights. So validation, early stopping, the best weights and the written state all see
    the averages. A resumed training starts from that state, and so begins as the next epoch does: by swapping back.
    Without an average nothing is swapped.

    Args:
        swapped: Whether the model holds the averages when training begins, as after a resume.
    """

    def __init__(self, *, swapped: bool) -> None:
        super().__init__()
        self.swapped = swapped

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the weights back."""
        if self.swapped:
            self._swap()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averages in the place of the weights."""
        if not self.swapped:
            self._swap()

    def _swap(self) -> None:
        optimizer: Any = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # with mixed_float16
        if optimizer.use_ema:
            averages = optimizer._model_variables_moving_average
            for weight, average in zip(self.model.trainable_variables, averages, strict=True):
                value = weight.numpy()
                weight.assign(average)
                average.assign(value)
        self.swapped = not self.swapped
