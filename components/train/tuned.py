"""The values of a search, in place of the recipe's."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from schemas.artifacts.kinds import HyperParameters
from schemas.errors import DataError
from schemas.recipe.settings import TrainSettings, with_values


def with_tuned(
    settings: TrainSettings, hyperparameters: HyperParameters | None
) -> tuple[TrainSettings, dict[str, Any]]:
    """Return the settings with a search's values, and these values by recipe key: none where there was no search.

    Raises:
        DataError: A value does not fit the recipe, which has changed since.
    """
    if hyperparameters is None:
        return settings, {}
    values: dict[str, Any] = json.loads(hyperparameters.best_path.read_bytes())
    try:
        return with_values(settings, values), values
    except ValidationError as error:
        first_error = error.errors()[0]
        key, reason = first_error["loc"][-1], first_error["msg"]
        raise DataError(
            f"{hyperparameters.best_path}: expected values that fit the recipe, found one that does not ({key}: {reason}); "
            "run make tune again, or set train.use_tuned=false"
        ) from None
