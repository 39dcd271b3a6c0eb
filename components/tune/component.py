"""The stage tune: Examples to HyperParameters, by a search with KerasTuner."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings
from schemas.stage import Stage


def tune(examples: Examples, hyperparameters: HyperParameters, settings: TuneSettings) -> dict[str, int]:
    """Search the recipe's space for the best validation ELBO; a resumed search keeps finished trials.

    Returns:
        Trials run, trials failed, and trials ended early because they were behind.

    Raises:
        DataError: A shard is broken, the search's state is, or no trial succeeded.
        UsageError: The address for workers cannot be used.
    """
    from components.tune.search import search

    return search(examples, hyperparameters, settings)


STAGE = Stage(
    name="tune",
    doc="Search hyperparameters with KerasTuner.",
    inputs=(Examples,),
    output=HyperParameters,
    settings=TuneSettings,
    run=tune,
    packages=("keras-tuner", "keras", "tensorflow", "scikit-learn", "numpy"),
)
