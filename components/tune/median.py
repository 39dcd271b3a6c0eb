"""Early stopping of trials by the median rule of Golovin et al. 2017, "Google Vizier", section 3.2.2.

A trial is ended when its value is below the median of the values of earlier trials at the same epoch. (Vizier compares a
trial's best value with running averages; the ELBO rises so steadily that the plain values will do.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

MIN_FINISHED = 3  # trials; with fewer, none is ended
GRACE = 0.25  # share of a trial's epochs in which it is not ended


def is_behind(value: float, others: Iterable[Sequence[float]], *, epoch: int, epochs: int) -> bool:
    """Return whether a trial is behind the others, and should end.

    Args:
        value: Its validation ELBO after `epoch` epochs.
        others: The values of each finished trial of the same length, after each epoch.
        epoch: From 1.
        epochs: The trial's most epochs.
    """
    if epoch < math.ceil(GRACE * epochs) or epoch >= epochs:
        return False
    # A trial that was ended early counts with its last value: the median of the others alone would end nearly all.
    values_at_epoch = [values[min(epoch, len(values)) - 1] for values in others if values]
    return len(values_at_epoch) >= MIN_FINISHED and value < median(values_at_epoch)
