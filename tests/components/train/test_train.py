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

from components.train.component import train
from components.train.state import TrainingState
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, HyperParameters, Model
from schemas.errors import DataError
from schemas.recipe.model import ConvModel
from schemas.recipe.recipe import EngineSection
from schemas.recipe.settings import TrainSettings

MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]
EPOCHS = 4
# Far too high, so that the validation loss soon rises; and far too many epochs for it.
RESTLESS = {"epochs": 60, "learning_rate": 0.3, "patience": 2}


def history(model: Model) -> list[dict[str, Any]]:
    """A row per epoch."""
    rows: list[dict[str, Any]] = pq.read_table(model.history_path).to_pylist()
    return rows


def load(model: Model) -> Any:
    """The model as anybody loads it, without trust in the file."""
    return keras.models.load_model(model.vae_path, safe_mode=True)


@pytest.fixture(scope="module")
def trained(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Model, dict[str, int]]:
    """A model after four quiet epochs, and what train said of it."""
    model = open_model(tmp_path_factory.mktemp("trained"))
    return model, train(tiny_examples, None, model, make_settings(epochs=EPOCHS))


@pytest.fixture(scope="module")
def stopped(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Model, dict[str, int]]:
    """A model whose training was stopped early, and what train said of it."""
    model = open_model(tmp_path_factory.mktemp("stopped"))
    return model, train(tiny_examples, None, model, make_settings(**RESTLESS))


# --- what it writes --------------------------------------------------------------------------------------------------


def test_a_training_leaves_a_model_its_history_logs_and_pictures_and_nothing_else(
    trained: tuple[Model, dict[str, int]],
) -> None:
    model, _ = trained
    assert sorted(path.name for path in model.path.iterdir()) == ["history.parquet", "logs", "progress", "vae.keras"]
    assert list(model.logs_path.rglob("events.out.tfevents.*"))


def test_the_counts_are_those_of_the_history_and_of_the_network(trained: tuple[Model, dict[str, int]]) -> None:
    model, counts = trained
    best = min(history(model), key=lambda row: row["val_loss"])["epoch"]
    assert counts == {"epochs": EPOCHS, "best_epoch": best, "weights": load(model).count_params()}


def test_the_history_has_the_published_schema_and_a_row_per_epoch(trained: tuple[Model, dict[str, int]]) -> None:
    model, _ = trained
    assert pq.read_schema(model.history_path).equals(tables.HISTORY)
    rows = history(model)
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01] * EPOCHS)


def test_each_loss_of_the_history_is_reconstruction_plus_kl(trained: tuple[Model, dict[str, int]]) -> None:
    for row in history(trained[0]):
        assert row["loss"] == pytest.approx(row["reconstruction"] + row["kl"], rel=1e-5)
        assert row["val_loss"] == pytest.approx(row["val_reconstruction"] + row["val_kl"], rel=1e-5)


def test_training_lowers_the_loss(trained: tuple[Model, dict[str, int]]) -> None:
    rows = history(trained[0])
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


def test_training_stops_when_patience_is_at_an_end(stopped: tuple[Model, dict[str, int]]) -> None:
    model, counts = stopped
    losses = [row["val_loss"] for row in history(model)]
    best = losses.index(min(losses)) + 1
    assert counts["best_epoch"] == best
    assert counts["epochs"] == len(losses) == best + RESTLESS["patience"]
    assert len(losses) < RESTLESS["epochs"]


def test_the_saved_weights_are_those_of_the_best_epoch(
    stopped: tuple[Model, dict[str, int]],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
) -> None:
    model, counts = stopped
    # The same training, ended by hand after the best epoch: its last weights are those that should have been kept.
    shorter = open_model(tmp_path)
    train(tiny_examples, None, shorter, make_settings(**{**RESTLESS, "epochs": counts["best_epoch"]}))
    assert history(shorter) == history(model)[: counts["best_epoch"]]
    last = TrainingState.read(shorter.work / "state.npz").variables
    for weight in load(model).trainable_variables:
        assert any(np.array_equal(value, weight.numpy()) for value in last)


def test_the_saved_weights_are_the_best_weights_of_the_state(stopped: tuple[Model, dict[str, int]]) -> None:
    model, _ = stopped
    state = TrainingState.read(model.work / "state.npz")
    assert state.stopped
    for found, want in zip(load(model).get_weights(), state.best_weights, strict=True):
        np.testing.assert_array_equal(found, want)


def test_the_saved_weights_are_not_those_of_the_last_epoch(stopped: tuple[Model, dict[str, int]]) -> None:
    model, _ = stopped
    state = TrainingState.read(model.work / "state.npz")
    weights = load(model).trainable_variables
    assert not any(np.array_equal(value, weights[0].numpy()) for value in state.variables)


# --- a hopeless learning rate ----------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_training_and_names_the_setting(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    expected = r"^train\.learning_rate: expected a .*loss that stays finite, found (nan|inf) .* 1e\+06; try 100000"
    with pytest.raises(DataError, match=expected):
        train(tiny_examples, None, model, make_settings(learning_rate=1e6))
    assert not model.vae_path.exists()
    assert not model.history_path.exists()


def test_a_broken_shard_ends_the_training_and_names_the_examples(
    make_examples: Callable[..., Examples], make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    examples = make_examples(tmp_path / "examples")
    shard = examples.shards("train")[1]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match=f"^{examples.path}: expected whole TFRecord shards"):
        train(examples, None, open_model(tmp_path / "model"), make_settings())


# --- what tune found -------------------------------------------------------------------------------------------------


def test_tuned_values_take_the_place_of_the_recipes(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    tuned = HyperParameters(tmp_path / "hyperparameters")
    tuned.path.mkdir()
    tuned.best_path.write_text(json.dumps({"model.latent_dim": 5, "train.learning_rate": 0.02}))
    model = open_model(tmp_path / "model")
    train(tiny_examples, tuned, model, make_settings(epochs=1))
    assert load(model).latent_dim == 5
    assert history(model)[0]["learning_rate"] == pytest.approx(0.02)


def test_any_key_that_was_searched_is_taken(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    tuned = HyperParameters(tmp_path / "hyperparameters")
    tuned.path.mkdir()
    tuned.best_path.write_text(
        json.dumps({"model.hidden": [7, 5], "train.batch_size": 64, "loss.reconstruction": "mean"})
    )
    model = open_model(tmp_path / "model")
    train(tiny_examples, tuned, model, make_settings(epochs=1))
    vae = load(model)
    assert [layer.units for layer in vae.encoder.layers if type(layer).__name__ == "Dense"][:2] == [7, 5]
    assert history(model)[0]["reconstruction"] < 1  # nats per pixel, not per image


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"model.encoder": [[8, 2]]}, "(encoder: Extra inputs are not permitted)"),
        ({"model.latent_dim": 0}, "(latent_dim: Input should be greater than or equal to 1)"),
    ],
)
def test_what_was_found_for_another_recipe_is_a_line(
    found: dict[str, Any],
    said: str,
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
) -> None:
    tuned = HyperParameters(tmp_path / "hyperparameters")
    tuned.path.mkdir()
    tuned.best_path.write_text(json.dumps(found))
    with pytest.raises(DataError, match="expected values that fit the recipe") as caught:
        train(tiny_examples, tuned, open_model(tmp_path / "model"), make_settings(epochs=1))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_tuned_values_the_recipes_are_used(trained: tuple[Model, dict[str, int]]) -> None:
    model, _ = trained
    assert load(model).latent_dim == 2
    assert history(model)[0]["learning_rate"] == pytest.approx(0.01)


def test_a_model_that_was_trained_in_low_precision_is_kept_in_float32_of_keras_own_layers(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    network = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=4, batch_norm="before")
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = open_model(tmp_path / precision)
        engine = EngineSection(precision=precision, steps_per_call=2)
        train(tiny_examples, None, model, make_settings(model=network, epochs=3, engine=engine))
        vae = load(model)
        layers = vae._flatten_layers(recursive=True, include_self=False)
        assert {layer.compute_dtype for layer in layers} == {"float32"}
        assert keras.layers.BatchNormalization in {type(layer) for layer in layers}
        assert not any("Fused" in type(layer).__name__ for layer in layers)
        losses[precision] = history(model)[-1]["val_loss"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)


@pytest.mark.parametrize("batch_size", [4, 5, 7])
def test_an_epoch_is_one_pass_over_the_images_however_many_steps_a_call_takes(
    tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path, batch_size: int
) -> None:
    rates = []  # which fall with every step
    for steps in (1, 2, 8):
        model = open_model(tmp_path / str(steps))
        engine = EngineSection(precision="float32", jit=False, steps_per_call=steps)
        train(
            tiny_examples,
            None,
            model,
            make_settings(epochs=2, batch_size=batch_size, schedule="cosine", engine=engine),
        )
        rates.append([row["learning_rate"] for row in history(model)])
    assert rates[1] == pytest.approx(rates[0], abs=1e-9) and rates[2] == pytest.approx(rates[0], abs=1e-9)
