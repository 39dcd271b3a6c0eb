"""Batch-level operations: drawing noise, averaging losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops


class WholeBatch:
    """Operations on a batch that one device processes alone. Training on several devices replaces this object."""

    def draw(self, random: Callable[[Any], Any], images: Any) -> Any:
        """Return random numbers for a number of images: `random(images)`, [B, …]."""
        return random(images)

    def mean(self, losses: Any) -> Any:
        """Return the mean of the images' losses [B]."""
        return ops.mean(losses)
