"""Which trials are not worth finishing: the median rule of Golovin et al. 2017, "Google Vizier", section 3.2.2.

A trial is ended when its value is below the median of what the trials before it had reached at the same epoch. (Vizier
compares a trial's best value with running averages; the ELBO rises so steadily that the values themselves do.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

ENOUGH = 3  # trials that have to be finished
GRACE = 0.25  # of the epochs that a trial is given, in which nothing ends it


def is_behind(value: float, others: Iterable[Sequence[float]], *, epoch: int, epochs: int) -> bool:
    """Whether to end a trial.

    Args:
        value: Its validation ELBO after `epoch` epochs.
        others: The values of each finished trial of the same budget, an epoch after another.
        epoch: From 1.
        epochs: That the trial is given.
    """
    if epoch < math.ceil(GRACE * epochs) or epoch >= epochs:
        return False
    # One that was ended early stands with its last value: the median of the survivors alone would end nearly all.
    reached = [values[min(epoch, len(values)) - 1] for values in others if values]
    return len(reached) >= ENOUGH and value < median(reached)
