"""Export: from a Model to a Generator, in the forms in which other programs load it."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, Generator, Model, ModelEvaluation
from schemas.recipe.settings import ExportSettings
from schemas.stage import Stage


def export(
    model: Model, examples: Examples, evaluation: ModelEvaluation, generator: Generator, settings: ExportSettings
) -> dict[str, int]:
    """Write the generator in each form, load each in a fresh process, and compare it with the Keras model.

    Returns:
        Size of each form in bytes, and the number of latent dimensions.

    Raises:
        UsageError: The settings ask for a form whose packages are not installed, or for a gate that does not exist.
        DataError: The model fails a gate of its recipe, or a form differs by more than `export.tolerance`.
    """
    from components.export.run import run

    return run(model, examples, evaluation, generator, settings)


STAGE = Stage(
    name="export",
    doc="Write SavedModel, Keras, ONNX and LiteRT files, and prove that they run without this project.",
    inputs=(Model, Examples, ModelEvaluation),
    output=Generator,
    settings=ExportSettings,
    run=export,
    packages=("keras", "tensorflow", "numpy"),
)
