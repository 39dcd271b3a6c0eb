"""Examples to HyperParameters: a search with KerasTuner."""

from __future__ import annotations

from schemas.artifacts import Examples, HyperParameters
from schemas.settings import TuneSettings
from schemas.stage import Stage


def tune(examples: Examples, hyperparameters: HyperParameters, settings: TuneSettings) -> dict[str, int]:
    """Searches latent_dim and learning rate for the best validation ELBO; finished trials are kept through a kill.

    Returns:
        Trials run and trials failed.

    Raises:
        DataError: A shard is broken, or no trial succeeded.
    """
    from components.tune.search import search

    return search(examples, hyperparameters, settings)


STAGE = Stage(
    name="tune",
    doc="Search latent_dim and learning rate with KerasTuner.",
    inputs=(Examples,),
    output=HyperParameters,
    settings=TuneSettings,
    run=tune,
    packages=("keras-tuner", "keras", "tensorflow", "numpy"),
)
