"""A Model to a Generator: the form in which others load it."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, Generator, Model, ModelEvaluation
from schemas.recipe.settings import ExportSettings
from schemas.stage import Stage


def export(
    model: Model, examples: Examples, evaluation: ModelEvaluation, generator: Generator, settings: ExportSettings
) -> dict[str, int]:
    """Writes a SavedModel, loads it in a fresh process, and compares it with the Keras model.

    Returns:
        Size of the SavedModel in bytes, and the latent dimensions.

    Raises:
        DataError: The loaded SavedModel differs by more than `export.tolerance`.
    """
    from components.export.run import run

    return run(model, examples, evaluation, generator, settings)


STAGE = Stage(
    name="export",
    doc="Write a SavedModel that runs without this project, and prove it.",
    inputs=(Model, Examples, ModelEvaluation),
    output=Generator,
    settings=ExportSettings,
    run=export,
    packages=("keras", "tensorflow", "numpy"),
)
