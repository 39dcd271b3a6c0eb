"""Limit the log-variance of the posterior."""

from __future__ import annotations

from typing import Any

from keras import ops

from schemas.recipe.model import LatentSection


def clip_log_variance(log_variance: Any, settings: LatentSection) -> Any:
    """Clip the log-variance [B, D] to `model.log_variance_limit`, as part of the network.

    The clip keeps exp(log σ²) finite, as in Rombach et al. 2022 ("High-Resolution Image Synthesis with Latent Diffusion Models",
    whose code has the limits [-30, 20]). It is hard, so that values within the limits do not change: a smooth limit would change
    every value, and a variance could not start at exactly 1. Beyond a limit the log-variance gets no gradient.
    """
    if settings.log_variance_limit is None:
        return log_variance
    low, high = settings.log_variance_limit
    return ops.clip(log_variance, low, high)
