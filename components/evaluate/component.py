"""The stage `evaluate`: how good a model is on unseen images. Loads no TensorFlow."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples, HyperParameters, Model, ModelEvaluation
from schemas.hashing import sha256_of
from schemas.paths import user_path
from schemas.recipe.settings import EvaluateSettings
from schemas.stage import Stage


def evaluate(
    examples: Examples,
    model: Model,
    hyperparameters: HyperParameters | None,
    evaluation: ModelEvaluation,
    settings: EvaluateSettings,
) -> dict[str, int]:
    """Measure a model on the test split, and write metrics, samplers, figures and a report.

    Args:
        examples: The Examples, whose test split is measured.
        model: The Model that `train` made of these Examples.
        hyperparameters: The search whose values the model was trained with, for the report; None: there was none.
        evaluation: Where ``metrics.json``, ``sampler.npz``, ``figures/*.png`` and ``report.html`` go.
        settings: The recipe's name, title, seed and section `evaluate`.

    Returns:
        Counts for the manifest: `test_images`.

    Raises:
        UsageError: A file that `evaluate.feature_model` or `evaluate.inception` names cannot be used.
        DataError: There are no test images, a shard is broken, or the model does not fit or gives no finite numbers.
    """
    from components.evaluate.run import run

    return run(examples, model, hyperparameters, evaluation, settings)


def feature_model_digest(settings: EvaluateSettings) -> dict[str, str | None]:
    """Return the sha256 of the user's own model, if there is one; "missing" where it is named and is not there.

    Inception needs none: it is always the same file.
    """
    if settings.evaluate.feature_model is None:
        return {}
    path = user_path(settings.evaluate.feature_model)
    return {"feature_model": sha256_of(path) if path.is_file() else "missing"}


STAGE = Stage(
    name="evaluate",
    doc="Measure the model on test images, and write a report.",
    inputs=(Examples, Model),
    optional={HyperParameters: lambda settings: settings.use_tuned},
    output=ModelEvaluation,
    settings=EvaluateSettings,
    run=evaluate,
    external=feature_model_digest,
    packages=("tensorflow", "keras", "numpy", "scikit-learn", "matplotlib"),
)
