"""The optimizer of a recipe."""

from __future__ import annotations

from typing import Any

import keras

from schemas.recipe.recipe import TrainSection

# Keras's names of offsets and scales, batch normalisation's too; and a learned prior's weights, which are positions.
NOT_DECAYED = ("bias", "gamma", "beta", "logits", "means", "log_deviations")


def make_optimizer(section: TrainSection, *, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Make Adam (Kingma & Ba 2015) or AdamW (Loshchilov & Hutter 2019), with the recipe's schedule, clipping and average.

    Args:
        section: The recipe's `train`.
        steps_per_epoch: Converts epochs to steps, which optimizers count.
    """
    options: dict[str, Any] = {"learning_rate": _rate(section, steps_per_epoch)}
    if section.clip_norm is not None:
        options["global_clipnorm"] = section.clip_norm
    if section.ema is not None:
        options |= {"use_ema": True, "ema_momentum": section.ema}
    if section.optimizer == "adam":
        return keras.optimizers.Adam(**options)
    optimizer = keras.optimizers.AdamW(weight_decay=section.weight_decay, **options)
    optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return optimizer


def _rate(section: TrainSection, steps_per_epoch: int) -> Any:
    """Return the learning rate, or its schedule: Loshchilov & Hutter 2017 (SGDR), equation 5, without restarts."""
    peak = section.learning_rate
    if section.schedule == "constant":
        return peak
    warmup = section.warmup_epochs * steps_per_epoch
    decay = section.epochs * steps_per_epoch - warmup
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(peak, decay)
    return keras.optimizers.schedules.CosineDecay(0.0, decay, warmup_target=peak, warmup_steps=warmup)
