"""The search whose values a model was trained with, as the report shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow.parquet as pq

from schemas.artifacts.kinds import HyperParameters
from schemas.artifacts.manifest import Manifest
from schemas.artifacts.tables import TRIALS


@dataclass(frozen=True)
class Search:
    """The result of tune.

    Attributes:
        manifest: Of the HyperParameters.
        trials: Rows of `schemas.artifacts.tables.trials_schema`.
        winner: Name of the trial that won.
        best: Its values, by recipe key.
        verdict: Tune's verdict on the search, as a clause.
    """

    manifest: Manifest
    trials: Sequence[Mapping[str, Any]]
    winner: str
    best: Mapping[str, Any]
    verdict: str

    @classmethod
    def of(cls, hyperparameters: HyperParameters, *, model: Manifest) -> Self | None:
        """Read a search; None where the model was trained without it."""
        manifest = hyperparameters.manifest
        if model.inputs.get(HyperParameters.TYPE) != manifest.digest:
            return None
        summary = json.loads(hyperparameters.summary_path.read_bytes())
        trials = pq.read_table(hyperparameters.trials_path).to_pylist()
        best = json.loads(hyperparameters.best_path.read_bytes())
        return cls(manifest, trials, str(summary["winner"]), best, str(summary["verdict"]))

    @property
    def keys(self) -> list[str]:
        """The recipe keys that were searched."""
        return [key for key in (self.trials[0] if self.trials else {}) if key not in TRIALS.names]
