"""The engine of a training: measured once per machine and network, and only if the training is long enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.by_hand import describe

from components.engine import probe as module
from components.engine.probe import (
    CLEARLY_FASTER,
    STEPS_PER_CALL,
    WORTH_MEASURING_SECONDS,
    Engine,
    choose_engine,
    measure,
)
from models.build import build_vae
from schemas.recipe.model import BernoulliLoss, ConvModel
from schemas.recipe.recipe import EngineSection

LOSS = BernoulliLoss(likelihood="bernoulli")
NETWORK = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=4, batch_norm="before")
STATISTICS = describe()
LONG = 10**9  # images

Choose = Callable[..., Engine]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[Engine, float]:
    """Measured rates: 100 images/s, unless a test puts another number here for an engine. The cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rates: dict[Engine, float] = {}
    monkeypatch.setattr(module, "measure", lambda engine, *_, **__: rates.get(engine, 100.0))
    monkeypatch.setattr(module, "processor_flags", lambda: {"avx2", "avx512_bf16"})
    return rates


@pytest.fixture
def choose(tmp_path: Path) -> Choose:
    """Chooses the engine of a long training, with these settings."""

    def choose_for(*, images: int = LONG, deterministic: bool = False, run: str = "run", **settings: Any) -> Engine:
        return choose_engine(
            EngineSection(**settings),
            NETWORK,
            LOSS,
            STATISTICS,
            batch_size=16,
            images=images,
            deterministic=deterministic,
            path=tmp_path / f"{run}.json",
        )

    return choose_for


def test_the_fastest_engine_wins_and_is_printed(
    measured: dict[Engine, float], choose: Choose, capsys: pytest.CaptureFixture[str]
) -> None:
    measured[Engine("bfloat16")] = 180.0
    measured[Engine("float32", jit=True)] = 150.0
    assert choose() == Engine("bfloat16")
    output = capsys.readouterr().out
    assert "engine  bfloat16: 180 images/s measured" in output
    assert "float32: 100; " in output


def test_several_steps_per_call_are_taken_where_they_are_faster(measured: dict[Engine, float], choose: Choose) -> None:
    measured[Engine("bfloat16")] = 180.0
    measured[Engine("bfloat16", steps=STEPS_PER_CALL)] = 300.0
    assert choose() == Engine("bfloat16", steps=STEPS_PER_CALL)


def test_bfloat16_is_not_tried_where_it_is_emulated(
    measured: dict[Engine, float], choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured[Engine("bfloat16")] = 180.0
    monkeypatch.setattr(module, "processor_flags", lambda: {"avx2", "fma"})
    assert choose(run="without") == Engine()
    monkeypatch.setattr(module, "processor_flags", set)  # on a system that does not list them
    assert choose(run="unknown") == Engine("bfloat16")


def test_several_steps_per_call_are_not_tried_where_a_step_is_slow(
    measured: dict[Engine, float], choose: Choose
) -> None:
    measured |= {Engine(precision, jit=jit): 60.0 for precision in ("float32", "bfloat16") for jit in (False, True)}
    measured |= {Engine("bfloat16"): 70.0, Engine("bfloat16", steps=STEPS_PER_CALL): 300.0}
    assert choose() == Engine("bfloat16")  # 16 images take more than a fifth of a second


def test_an_engine_that_is_hardly_faster_is_not_taken(measured: dict[Engine, float], choose: Choose) -> None:
    measured[Engine("bfloat16")] = 100 * CLEARLY_FASTER - 0.1
    assert choose() == Engine()


def test_a_short_training_is_not_held_up(measured: dict[Engine, float], choose: Choose) -> None:
    measured[Engine("bfloat16")] = 1000.0
    assert choose(images=int(WORTH_MEASURING_SECONDS * 100) - 1) == Engine()


def test_without_memory_for_any_engine_the_plain_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, measured: dict[Engine, float], choose: Choose
) -> None:
    monkeypatch.setattr(module, "measure", lambda *_, **__: 0.0)
    assert choose() == Engine()


def test_a_deterministic_training_depends_on_no_measurement(measured: dict[Engine, float], choose: Choose) -> None:
    measured[Engine("bfloat16")] = 1000.0
    assert choose(deterministic=True) == Engine()


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_settings_of_the_recipe_are_followed(
    measured: dict[Engine, float], choose: Choose, deterministic: bool
) -> None:
    measured[Engine("float32", jit=True, steps=3)] = 1000.0
    engine = choose(precision="bfloat16", jit=False, steps_per_call=3, deterministic=deterministic)
    assert engine == Engine("bfloat16", jit=False, steps=3)


def test_auto_settings_are_measured_with_the_fixed_ones(measured: dict[Engine, float], choose: Choose) -> None:
    measured[Engine("bfloat16", jit=True, steps=3)] = 1000.0
    assert choose(jit=True, steps_per_call=3) == Engine("bfloat16", jit=True, steps=3)


def test_a_resumed_training_keeps_its_engine(measured: dict[Engine, float], choose: Choose) -> None:
    measured[Engine("bfloat16")] = 180.0
    began = choose(run="mine")
    measured[Engine("float32", jit=True)] = 900.0
    assert choose(run="mine") == began


def test_a_network_is_measured_once_per_machine(
    measured: dict[Engine, float], choose: Choose, capsys: pytest.CaptureFixture[str]
) -> None:
    measured[Engine("bfloat16")] = 180.0
    first = choose(run="first")
    measured.clear()
    assert choose(run="second") == first
    assert "as measured before on this machine" in capsys.readouterr().out
    assert choose(run="third", jit=False) == Engine()  # another question


def test_a_measurement_trains_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.3)
    assert measure(Engine(), NETWORK, LOSS, STATISTICS, batch_size=8) > 0


def test_a_much_slower_engine_is_measured_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    fit = keras.Model.fit

    def counted(self: Any, *arguments: Any, **settings: Any) -> Any:
        calls.append(settings["steps_per_epoch"])
        return fit(self, *arguments, **settings)

    monkeypatch.setattr(keras.Model, "fit", counted)
    assert 0 < measure(Engine(), NETWORK, LOSS, STATISTICS, batch_size=8, beside=1e9) < 1e9 / 2
    assert calls == [1, 1]  # compilation, and one more


def test_an_engine_that_fails_is_as_slow_as_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    def no_memory(*_: Any, **__: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(keras.Model, "fit", no_memory)
    assert measure(Engine(), NETWORK, LOSS, STATISTICS, batch_size=8) == 0


def test_low_precision_is_of_activations_alone() -> None:
    vae = Engine("bfloat16").build(NETWORK, LOSS, STATISTICS, seed=0)
    assert vae.encoder.layers[1].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in vae.trainable_weights} == {"float32"}
    results = vae(np.zeros((2, 8, 8, 1), np.uint8), training=True)
    assert {keras.backend.standardize_dtype(value.dtype) for value in results.values()} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"  # for the next network that is built


@pytest.mark.parametrize("batch", [1, 5])
def test_fused_batch_norm_is_keras_batch_norm(batch: int) -> None:
    plain = build_vae(NETWORK, LOSS, STATISTICS, seed=0)
    fused = Engine().build(NETWORK, LOSS, STATISTICS, seed=0)
    pixels = np.random.default_rng(0).integers(0, 256, (batch, 8, 8, 1)).astype(np.uint8)
    for vae in (plain, fused):
        vae.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        vae.train_on_batch(pixels)
    for mine, keras_own in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_own, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(fused(pixels)["outputs"], plain(pixels)["outputs"], rtol=1e-3, atol=1e-3)


def test_a_conditional_network_is_measured_with_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.0)
    statistics = describe(
        images={"train": 4, "validation": 0, "test": 0},
        labels=["cat", "dog"],
        images_per_label={"train": {"cat": 3, "dog": 1}},
    )
    network = NETWORK.model_copy(update={"conditional": True})
    assert measure(Engine(), network, LOSS, statistics, batch_size=16) > 0
