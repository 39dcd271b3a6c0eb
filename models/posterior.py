"""What keeps a posterior within bounds."""

from __future__ import annotations

from typing import Any

from keras import ops

from schemas.recipe.model import LatentSection


def limited(log_variance: Any, settings: LatentSection) -> Any:
    """The log-variance [B, D] within `model.log_variance_limit`, in the network's own graph.

    A hard clip, as in Rombach et al. 2022 ("High-Resolution Image Synthesis with Latent Diffusion Models", whose code
    takes [-30, 20]): it keeps exp(log σ²) finite, and a posterior within the limits is not changed at all, where a smooth
    one would bend every value, and a variance that starts at 1 would not. Beyond a limit the log-variance gets no gradient.
    """
    if settings.log_variance_limit is None:
        return log_variance
    low, high = settings.log_variance_limit
    return ops.clip(log_variance, low, high)
