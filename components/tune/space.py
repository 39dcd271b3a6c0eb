"""The recipe's `tune.space` as KerasTuner's hyperparameters, and back. Hyperparameters are named by recipe key."""

from __future__ import annotations

import json
from typing import Any

import keras_tuner

from components.reporting.numbers import general
from schemas.recipe.search import Range
from schemas.recipe.settings import TuneSettings, value_at, with_values


def search_space(settings: TuneSettings) -> keras_tuner.HyperParameters:
    """What the oracles draw from."""
    space = keras_tuner.HyperParameters()
    for key, values in settings.tune.space.items():
        if not isinstance(values, Range):
            # As JSON: KerasTuner's choices hold neither lists nor null, and its protocol makes numbers of true and false.
            space.Choice(key, [json.dumps(_as_read(settings, key, value)) for value in values])
        elif isinstance(value_at(settings, key), int):
            step = values.step or (None if values.log else 1)
            space.Int(key, int(values.low), int(values.high), step=step, sampling="log" if values.log else "linear")
        else:
            space.Float(key, values.low, values.high, step=values.step, sampling="log" if values.log else "linear")
    return space


def _as_read(settings: TuneSettings, key: str, value: Any) -> Any:
    """A value as the recipe understands it: YAML reads 1e-3 as text."""
    return value_at(with_values(settings, {key: value}), key)


def values_of(hyperparameters: keras_tuner.HyperParameters, settings: TuneSettings) -> dict[str, Any]:
    """A trial's values by recipe key."""
    found = hyperparameters.values
    return {
        key: found[key] if isinstance(values, Range) else json.loads(found[key])
        for key, values in settings.tune.space.items()
    }


def told(value: Any) -> str:
    """A value as people read it."""
    return general(value, digits=3) if isinstance(value, float) else json.dumps(value).replace('"', "")


def told_space(space: dict[str, Any]) -> str:
    """Where a search looks, such as `model.latent_dim: 2, 4, 8 × train.learning_rate: 0.0001 to 0.01`."""
    return " × ".join(
        f"{key}: {general(values.low)} to {general(values.high)}"
        if isinstance(values, Range)
        else f"{key}: {', '.join(told(value) for value in values)}"
        for key, values in space.items()
    )
