"""What of a training step belongs to the batch, and not to an image: its noise, and the mean of its losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops


class WholeBatch:
    """The images that the model is called with are a whole batch. Where several devices share one, another takes its place."""

    def draw(self, random: Callable[[Any], Any], images: Any) -> Any:
        """Random numbers for so many images, from a function of their number: [B, …]."""
        return random(images)

    def mean(self, losses: Any) -> Any:
        """Of the images' losses [B]."""
        return ops.mean(losses)
