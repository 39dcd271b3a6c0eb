"""A training: what it writes, which weights it keeps, when it stops, and what it says of a hopeless learning rate."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.recorded_training import Record, open_model
from helpers.table_rows import table_rows
from PIL import Image

from components.examples.dataset import batches
from components.train import fit
from components.train.component import train
from components.train.fit import steps_per_call
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, HyperParameters, Model
from schemas.errors import DataError
from schemas.recipe.model import ConvModel
from schemas.recipe.recipe import EngineSection
from schemas.recipe.settings import TrainSettings

pytestmark = pytest.mark.xdist_group("train")

MakeSettings = Callable[..., TrainSettings]
EPOCHS = 4


class Stopped(Exception):
    """Ends a training with the settings that it was about to use."""


def load(model: Model) -> Any:
    """Load the model as anybody loads it, without trust in the file."""
    return keras.models.load_model(model.vae_path, safe_mode=True)


@pytest.fixture(scope="module")
def trained(
    tiny_examples: Examples, make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, dict[str, int]]:
    """Return a model after four quiet epochs, and the counts that train returned."""
    model = open_model(tmp_path_factory.mktemp("trained"))
    return model, train(tiny_examples, None, model, make_settings(epochs=EPOCHS))


@pytest.fixture
def tuned(tmp_path: Path) -> Callable[[dict[str, Any]], HyperParameters]:
    """Write the values that a search found."""

    def write(values: dict[str, Any]) -> HyperParameters:
        hyperparameters = HyperParameters(tmp_path / "hyperparameters")
        hyperparameters.path.mkdir()
        hyperparameters.best_path.write_text(json.dumps(values))
        return hyperparameters

    return write


# --- what it writes --------------------------------------------------------------------------------------------------


def test_a_training_leaves_a_model_its_history_logs_and_pictures_and_nothing_else(
    trained: tuple[Model, dict[str, int]],
) -> None:
    model, _ = trained
    assert sorted(path.name for path in model.path.iterdir()) == ["history.parquet", "logs", "progress", "vae.keras"]
    assert list(model.logs_path.rglob("events.out.tfevents.*"))


def test_every_epoch_has_its_pictures_and_the_film_has_a_frame_of_each(trained: tuple[Model, dict[str, int]]) -> None:
    folder = trained[0].progress_path
    names = [f"{kind}-{epoch:05d}.png" for kind in ("reconstructions", "samples") for epoch in range(1, EPOCHS + 1)]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "samples.gif"]
    with Image.open(folder / "samples.gif") as film:
        assert film.n_frames == EPOCHS
    first, last = (np.asarray(Image.open(folder / f"samples-{epoch:05d}.png")) for epoch in (1, EPOCHS))
    assert first.shape == last.shape
    assert (first != last).any()  # of the same codes


def test_the_counts_are_those_of_the_history_and_of_the_network(trained: tuple[Model, dict[str, int]]) -> None:
    model, counts = trained
    best = min(table_rows(model.history_path), key=lambda row: row["val_loss"])["epoch"]
    assert counts == {"epochs": EPOCHS, "best_epoch": best, "weights": load(model).count_params()}


def test_the_history_has_the_published_schema_and_a_row_per_epoch(trained: tuple[Model, dict[str, int]]) -> None:
    model, _ = trained
    assert pq.read_schema(model.history_path).equals(tables.HISTORY)
    rows = table_rows(model.history_path)
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01] * EPOCHS)


def test_each_loss_of_the_history_is_reconstruction_plus_kl(trained: tuple[Model, dict[str, int]]) -> None:
    for row in table_rows(trained[0].history_path):
        assert row["loss"] == pytest.approx(row["reconstruction"] + row["kl"], rel=1e-5)
        assert row["val_loss"] == pytest.approx(row["val_reconstruction"] + row["val_kl"], rel=1e-5)


def test_training_lowers_the_loss(trained: tuple[Model, dict[str, int]]) -> None:
    rows = table_rows(trained[0].history_path)
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["val_loss"] < rows[0]["val_loss"]


def test_the_saved_model_loads_safely_and_makes_images(trained: tuple[Model, dict[str, int]]) -> None:
    vae = load(trained[0])
    images = np.asarray(vae.decode(np.zeros((3, 2), np.float32)))
    assert images.shape == (3, 8, 8, 1)
    assert np.all((images >= 0) & (images <= 1))


def test_the_saved_file_holds_configuration_and_weights_and_no_code(trained: tuple[Model, dict[str, int]]) -> None:
    with zipfile.ZipFile(trained[0].vae_path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert set(contents) == {"config.json", "metadata.json", "model.weights.h5"}
    assert contents["model.weights.h5"].startswith(b"\x89HDF\r\n\x1a\n")
    config = contents["config.json"].decode()
    json.loads(config)
    for code in ("Lambda", "__lambda__", "pickle", "marshal"):
        assert code not in config


# --- which weights it keeps, and when it stops -----------------------------------------------------------------------


def test_training_stops_when_patience_is_at_an_end(stopped: Record, restless: dict[str, Any]) -> None:
    losses = [row["val_loss"] for row in table_rows(stopped.model.history_path)]
    best = losses.index(min(losses)) + 1
    assert stopped.counts["best_epoch"] == best
    assert stopped.counts["epochs"] == len(losses) == best + restless["patience"]
    assert len(losses) < restless["epochs"]
    assert stopped.states[-1].stopped


def test_the_saved_weights_are_those_of_the_best_epoch_and_not_of_the_last(stopped: Record) -> None:
    best, last = (
        stopped.steps[epoch * len(stopped.steps) // stopped.counts["epochs"] - 1]
        for epoch in (stopped.counts["best_epoch"], stopped.counts["epochs"])
    )
    vae = load(stopped.model)
    for weight, value, last_value in zip(vae.trainable_variables, best, last, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
        assert not np.array_equal(weight.numpy(), last_value)
    for value, expected in zip(vae.get_weights(), stopped.states[-1].best_weights, strict=True):
        np.testing.assert_array_equal(value, expected)


# --- a hopeless learning rate ----------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_training_and_names_the_setting(
    tiny_examples: Examples, make_settings: MakeSettings, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    expected = r"^train\.learning_rate: expected a .*loss that stays finite, found (nan|inf) .* 1e\+06; try 100000"
    with pytest.raises(DataError, match=expected):
        train(tiny_examples, None, model, make_settings(learning_rate=1e6))
    assert not model.vae_path.exists()
    assert not model.history_path.exists()


def test_a_broken_shard_ends_the_training_and_names_the_examples(
    make_examples: Callable[..., Examples], make_settings: MakeSettings, tmp_path: Path
) -> None:
    examples = make_examples(tmp_path / "examples")
    shard = examples.shards("train")[1]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match=f"^{examples.path}: expected whole TFRecord shards"):
        train(examples, None, open_model(tmp_path / "model"), make_settings())


# --- values of a search ----------------------------------------------------------------------------------------------


def test_the_values_of_a_search_replace_the_recipes_for_any_key(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    tuned: Callable[[dict[str, Any]], HyperParameters],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(images: Any, model: Model, settings: TrainSettings, *_: Any, **__: Any) -> None:
        raise Stopped(settings)

    monkeypatch.setattr(fit, "_train_within_memory", stop)
    values = {
        "model.hidden": [7, 5],
        "train.batch_size": 64,
        "train.learning_rate": 0.02,
        "loss.reconstruction": "mean",
    }
    with pytest.raises(Stopped) as stopped:
        train(tiny_examples, tuned(values), open_model(tmp_path / "model"), make_settings(epochs=1))
    [settings] = stopped.value.args
    assert settings.model.hidden == (7, 5)
    assert (settings.train.batch_size, settings.train.learning_rate) == (64, 0.02)
    assert settings.loss.reconstruction == "mean"
    assert (
        "tuned   model.hidden [7, 5], train.batch_size 64, train.learning_rate 0.02, loss.reconstruction mean from the search"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model.encoder": [[8, 2]]}, "(encoder: Extra inputs are not permitted)"),
        ({"model.latent_dim": 0}, "(latent_dim: Input should be greater than or equal to 1)"),
    ],
)
def test_values_of_a_search_for_another_recipe_are_an_error_of_one_line(
    values: dict[str, Any],
    message: str,
    tiny_examples: Examples,
    make_settings: MakeSettings,
    tuned: Callable[[dict[str, Any]], HyperParameters],
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match="expected values that fit the recipe") as caught:
        train(tiny_examples, tuned(values), open_model(tmp_path / "model"), make_settings(epochs=1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_search_the_recipes_values_are_used(trained: tuple[Model, dict[str, int]]) -> None:
    model, _ = trained
    assert load(model).latent_dim == 2
    assert table_rows(model.history_path)[0]["learning_rate"] == pytest.approx(0.01)


# --- how the machine is used -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "most", "expected"), [(16, 8, 8), (13, 8, 1), (10, 8, 5), (16, 1, 1), (4, 8, 4), (1, 8, 1)]
)
def test_the_steps_per_call_divide_an_epochs_steps(steps: int, most: int, expected: int) -> None:
    assert steps_per_call(steps, most=most) == expected


def test_a_training_in_low_precision_with_several_steps_per_call_is_kept_in_float32_and_keeps_its_schedule(
    tiny_examples: Examples, make_settings: MakeSettings, tmp_path: Path
) -> None:
    model, epochs, steps = open_model(tmp_path), 2, 10  # of at most 7 images each, called 5 at a time
    settings = make_settings(
        model=ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=4, batch_norm="before"),
        epochs=epochs,
        batch_size=7,
        schedule="cosine",
        engine=EngineSection(precision="bfloat16", jit=False, steps_per_call=8),
    )
    train(tiny_examples, None, model, settings)
    vae = load(model)
    layers = vae._flatten_layers(recursive=True, include_self=False)
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert keras.layers.BatchNormalization in {type(layer) for layer in layers}
    assert not any("Fused" in type(layer).__name__ for layer in layers)
    rows = table_rows(model.history_path)
    # An epoch is one pass over the images: the rate falls with every step.
    done = [epoch * steps / (epochs * steps) for epoch in range(1, epochs + 1)]
    expected = [0.01 * 0.5 * (1 + math.cos(math.pi * share)) for share in done]
    assert [row["learning_rate"] for row in rows] == pytest.approx(expected, abs=1e-9)
    vae.compile()
    means = vae.evaluate(batches(tiny_examples, "validation", batch_size=16), return_dict=True, verbose=0)
    best = min(rows, key=lambda row: row["val_loss"])
    assert means["kl"] == pytest.approx(best["val_kl"], rel=0.05)  # which depends on no noise
