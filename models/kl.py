"""The KL divergence of the posterior from the prior, and its variants in a loss."""

from __future__ import annotations

from typing import Any

from keras import ops


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """Return the KL of N(μ, σ²) from N(0, I) per image, in nats: [B]. Kingma & Welling 2014, appendix B.

    ``-0.5 · Σ_d (1 + log σ²_d - μ²_d - σ²_d)``
    """
    return ops.sum(kl_per_dimension(mean, log_variance), axis=-1)


def kl_per_dimension(mean: Any, log_variance: Any) -> Any:
    """Return the KL of each latent dimension, in nats: [B, D]."""
    return -0.5 * (1.0 + log_variance - ops.square(mean) - ops.exp(log_variance))


def free_bits_kl(per_dimension: Any, *, free_bits: float) -> Any:
    """Return the KL of a batch, to which each dimension adds at least `free_bits`: [B, D] to a scalar, in nats.

    ``Σ_d max(λ, mean_b KL_bd)``: Kingma et al. 2016, "Improved Variational Inference with Inverse Autoregressive Flow",
    equation 15, each dimension a group of its own. A dimension below λ gets no gradient, so none is pushed to zero.
    """
    return ops.sum(ops.maximum(ops.mean(per_dimension, axis=0), free_bits))


def warmup_weight(step: Any, *, steps: int) -> Any:
    """Return the KL's weight at a step of training: it rises linearly from 0 at step 0 to 1 at step `steps`, and stays 1.

    Bowman et al. 2016, "Generating Sentences from a Continuous Space", section 3.1; Sønderby et al. 2016, "Ladder
    Variational Autoencoders", section 2.3.
    """
    return ops.minimum(ops.cast(step, "float32") / steps, 1.0)
