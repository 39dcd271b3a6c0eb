"""The stage train: Examples, and HyperParameters where there are any, to a trained Model."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, HyperParameters, Model
from schemas.recipe.settings import TrainSettings
from schemas.stage import Stage


def train(
    examples: Examples, hyperparameters: HyperParameters | None, model: Model, settings: TrainSettings
) -> dict[str, int]:
    """Train until the validation loss no longer falls; resume where an interrupted run stopped.

    Returns:
        Epochs run, the best epoch (from 1), and the number of weights.

    Raises:
        DataError: A shard is broken, or the loss is no longer a number.
    """
    from components.train.fit import fit

    return fit(examples, hyperparameters, model, settings)


STAGE = Stage(
    name="train",
    doc="Train the variational autoencoder, with early stopping.",
    inputs=(Examples,),
    optional={HyperParameters: lambda settings: settings.train.use_tuned},
    output=Model,
    settings=TrainSettings,
    run=train,
    packages=("keras", "tensorflow", "numpy"),
)
