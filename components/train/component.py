"""The stage train: Examples, and HyperParameters where there are any, to a trained Model."""

from __future__ import annotations

from components.train.other_model import expect_start, other_model
from schemas.artifacts.kinds import Examples, HyperParameters, Model
from schemas.recipe.settings import TrainSettings
from schemas.stage import Stage

__all__ = ["STAGE", "expect_start", "start_from_digest", "train"]


def train(
    examples: Examples, hyperparameters: HyperParameters | None, model: Model, settings: TrainSettings
) -> dict[str, int]:
    """Train until the validation loss no longer falls; resume where an interrupted run stopped.

    Returns:
        Epochs run, the best epoch (from 1), and the number of weights.

    Raises:
        UsageError: The model that it starts from does not fit.
        DataError: A shard is broken, or the loss is no longer a number.
    """
    from components.train.fit import fit

    return fit(examples, hyperparameters, model, settings)


def start_from_digest(settings: TrainSettings) -> dict[str, str | None]:
    """Return the digest of the model that training starts from, if it starts from one.

    Raises:
        UsageError: There is no such model.
    """
    return {} if settings.train.start_from is None else {"start_from": other_model(settings.train.start_from).digest}


STAGE = Stage(
    name="train",
    doc="Train the variational autoencoder, with early stopping.",
    inputs=(Examples,),
    optional={HyperParameters: lambda settings: settings.train.use_tuned},
    output=Model,
    settings=TrainSettings,
    run=train,
    external=start_from_digest,
    packages=("keras", "tensorflow", "numpy"),
)
