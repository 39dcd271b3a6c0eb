"""Examples and models that a test makes by hand: a few tiny images, a VAE with its initial weights, and their evaluation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from helpers.by_hand import describe
from helpers.small_evaluation import LABELLED, WHOLE, Evaluation, evaluate_small

from schemas.artifacts.kinds import Examples, Model
from schemas.artifacts.records import Statistics, encode_example, frame
from schemas.artifacts.tables import HISTORY, write_table
from schemas.recipe.model import BernoulliLoss, DenseModel, MseLoss

UNSEALED: dict[str, Any] = {"recipe": {}, "versions": {}, "duration_seconds": 1.5, "created": "2020-01-01T00:00:00Z"}

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]


def write_examples(
    folder: Path,
    images: np.ndarray[Any, Any],
    *,
    labels: list[int] | None = None,
    names: tuple[str, ...] = (),
    margin: int = 0,
    training: int = 0,
    validation: int = 0,
) -> Examples:
    """Write sealed Examples whose test split holds these images: [n, H, W, C], uint8.

    Args:
        folder: Where.
        images: Of the test split.
        labels: Their numbers within `names`, -1 for none; None: no image has a label.
        names: Of labels.
        margin: By how many pixels the network sees less, in height and width.
        training: How many first images make the training split, too.
        validation: How many first images make the validation split, too.
    """
    count, height, width, channels = images.shape
    examples = Examples(folder)
    indices = [-1] * count if labels is None else labels
    records = [
        frame(encode_example(image, key=f"image {i}", label=label))
        for i, (image, label) in enumerate(zip(images, indices, strict=True))
    ]
    counts = {"train": training, "validation": validation, "test": count}
    for split, size in counts.items():
        examples.split(split).mkdir(parents=True)
        (examples.split(split) / "data_tfrecord-00000-of-00001").write_bytes(b"".join(records[:size]))
    statistics = describe(
        height - margin,
        width - margin,
        channels,
        stored_height=height,
        stored_width=width,
        labels=list(names),
        images=counts,
        images_per_label={
            split: {name: indices[:size].count(i) for i, name in enumerate(names)} for split, size in counts.items()
        },
        rejected={"too_large": 2},
    )
    examples.statistics_path.write_text(statistics.model_dump_json())
    settings = {"seed": 0, "sources": [{"kind": "digits"}], "preprocess": {"height": height, "split_salt": ""}}
    examples.seal(inputs={}, settings=settings, counts={"test": count}, **UNSEALED)
    return examples


def write_model(
    folder: Path,
    examples: Examples,
    *,
    latent_dim: int = 2,
    mse: bool = False,
    kl: Literal["sum", "none"] = "sum",
    epochs: int = 3,
    conditional: bool = False,
) -> Model:
    """Write a sealed Model for these Examples: untrained, with an invented history."""
    from models.build import build_vae

    statistics = Statistics.model_validate_json(examples.statistics_path.read_bytes())
    network = DenseModel(network="dense", latent_dim=latent_dim, hidden=(8,), conditional=conditional)
    loss = MseLoss(likelihood="mse", kl=kl) if mse else BernoulliLoss(likelihood="bernoulli")
    model = Model(folder)
    model.path.mkdir(parents=True)
    with warnings.catch_warnings():
        # Keras's own, while it saves: its variables do not know numpy 2's `copy` yet.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        build_vae(network, loss, statistics, seed=3).save(model.vae_path)
    columns = ("loss", "reconstruction", "kl", "val_loss", "val_reconstruction", "val_kl", "learning_rate")
    rows = [{"epoch": epoch, **dict.fromkeys(columns, 10.0 / epoch)} for epoch in range(1, epochs + 1)]
    write_table(model.history_path, rows, HISTORY)
    settings = {"seed": 0, "model": network.model_dump(mode="json"), "loss": loss.model_dump(mode="json")}
    model.seal(inputs={"Examples": examples.digest}, settings=settings, counts={"epochs": epochs}, **UNSEALED)
    return model


def random_images(count: int, *, height: int = 8, width: int = 8, channels: int = 1) -> np.ndarray[Any, Any]:
    """Return noise: [count, height, width, channels], uint8."""
    return np.random.default_rng(7).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


@pytest.fixture(scope="session")
def make_examples(tmp_path_factory: pytest.TempPathFactory) -> MakeExamples:
    """Return a function that writes Examples; see `write_examples`. Without images it takes thirty of noise."""

    def make(images: np.ndarray[Any, Any] | None = None, **options: Any) -> Examples:
        folder = tmp_path_factory.mktemp("evaluate") / "examples"
        return write_examples(folder, random_images(30) if images is None else images, **options)

    return make


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Return a function that writes a Model; see `write_model`."""

    def make(examples: Examples, **options: Any) -> Model:
        return write_model(tmp_path_factory.mktemp("evaluate") / "model", examples, **options)

    return make


@pytest.fixture(scope="session")
def noise_images() -> Callable[..., np.ndarray[Any, Any]]:
    """Return a function that returns noise; see `random_images`."""
    return random_images


@pytest.fixture(scope="session")
def labelled_examples(make_examples: MakeExamples) -> Examples:
    """Images with two labels, in three splits that differ in size: no part of an evaluation is left out.

    They have a margin of four pixels, in height and width.
    """
    return make_examples(random_images(30, height=12, width=10), margin=4, **LABELLED)


@pytest.fixture(scope="session")
def conditional_model(make_model: MakeModel, labelled_examples: Examples) -> Model:
    """Return an untrained conditional model of `labelled_examples`."""
    return make_model(labelled_examples, conditional=True, mse=True)


@pytest.fixture(scope="session")
def whole_evaluation(
    labelled_examples: Examples, conditional_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    """Return an evaluation of `conditional_model` with every part, figures included: the one that most tests read."""
    folder = tmp_path_factory.mktemp("whole") / "evaluation"
    return evaluate_small(labelled_examples, conditional_model, folder, figures=True, **WHOLE)
