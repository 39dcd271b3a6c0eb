"""The recipe's `tune.space` as KerasTuner's hyperparameters, and back. Recipe keys are their names."""

from __future__ import annotations

import json
from typing import Any

import keras_tuner

from components.reporting.numbers import as_setting, setting
from schemas.recipe.search import Range
from schemas.recipe.settings import TuneSettings, value_at, with_values


def search_space(settings: TuneSettings) -> keras_tuner.HyperParameters:
    """Return the space from which the oracles draw."""
    space = keras_tuner.HyperParameters()
    for key, values in settings.tune.space.items():
        if not isinstance(values, Range):
            # As JSON: KerasTuner's choices cannot hold lists or null, and its protocol turns true and false into numbers.
            space.Choice(key, [json.dumps(_validated(settings, key, value)) for value in values])
        elif isinstance(value_at(settings, key), int):
            step = values.step or (None if values.log else 1)
            space.Int(key, int(values.low), int(values.high), step=step, sampling="log" if values.log else "linear")
        else:
            space.Float(key, values.low, values.high, step=values.step, sampling="log" if values.log else "linear")
    return space


def _validated(settings: TuneSettings, key: str, value: Any) -> Any:
    """Return a value in the type of its key: YAML reads 1e-3 as text."""
    return value_at(with_values(settings, {key: value}), key)


def values_of(hyperparameters: keras_tuner.HyperParameters, settings: TuneSettings) -> dict[str, Any]:
    """Return a trial's values by recipe key."""
    drawn = hyperparameters.values
    return {
        key: drawn[key] if isinstance(values, Range) else json.loads(drawn[key])
        for key, values in settings.tune.space.items()
    }


def readable_space(space: dict[str, Any]) -> str:
    """Return a space as text for people, such as `model.latent_dim: 2, 4, 8 × train.learning_rate: 0.0001 to 0.01`."""
    return " × ".join(
        f"{key}: {setting(values.low)} to {setting(values.high)}"
        if isinstance(values, Range)
        else f"{key}: {', '.join(as_setting(value) for value in values)}"
        for key, values in space.items()
    )
