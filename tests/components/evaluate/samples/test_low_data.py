"""The low-data curve: what new images gain beside few real ones. Images show a bright column at one of four places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.samples import low_data
from components.evaluate.samples.classifier import NOT_FINITE
from components.evaluate.samples.kid import Interval
from components.evaluate.samples.low_data import images_seen, measure_low_data
from components.evaluate.samples.low_data_curve import Few, LowData, Size, document, interval
from components.examples.training_images import TrainingImages
from schemas.artifacts.kinds import Examples

Array = np.ndarray[Any, Any]
Labelled = tuple[Array, Array]
KINDS = 4
SHAPE = (8, 2 * KINDS, 1)
COUNT = 64  # training images
FEW = Few((2, 99), draws=2)


def columns(count: int, *, seed: int) -> Labelled:
    """Return noise with a bright column at one of four places: [N, 8, 8, 1], uint8; and the place: [N]."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % KINDS)
    images = random.integers(0, 140, (count, *SHAPE))
    images[np.arange(count), :, 2 * labels] += 80
    return images.astype(np.uint8), labels


@pytest.fixture(scope="module")
def images(make_examples: Callable[..., Examples]) -> TrainingImages:
    """Return the real training images."""
    pixels, labels = columns(COUNT, seed=0)
    names = [f"column {kind}" for kind in range(KINDS)]
    return TrainingImages(make_examples(pixels, labels=labels.tolist(), names=names, training=COUNT))


@pytest.fixture(scope="module")
def oracle() -> keras.Model:
    """Return a classifier that measures the columns, in place of one that was trained on all real images."""
    pixels = keras.Input(SHAPE)
    network = keras.Model(pixels, keras.layers.Dense(KINDS)(keras.layers.Flatten()(pixels)))
    weights = np.zeros((*SHAPE, KINDS))
    for kind in range(KINDS):
        weights[:, 2 * kind, 0, kind] = 1.0
    network.layers[-1].set_weights([weights.reshape(-1, KINDS), np.zeros(KINDS)])
    return network


def test_batches() -> Iterator[Labelled]:
    """Yield test images; the last ten have no label."""
    pixels, labels = columns(110, seed=1)
    labels[100:] = -1
    yield pixels.astype(np.float32) / 255.0, labels


test_batches.__test__ = False  # type: ignore[attr-defined]


def measure(oracle: keras.Model, images: TrainingImages, new: Labelled | None, **options: Any) -> LowData | str:
    return measure_low_data(
        oracle,
        new,
        **{"images": images, "crop": lambda pixels: pixels, "test": test_batches, "few": FEW, "seed": 0, **options},
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for few steps."""
    monkeypatch.setattr(low_data, "STEPS", 15)
    monkeypatch.setattr(low_data, "BATCH_SIZE", 16)


def half_mislabelled() -> Labelled:
    """Return new images of which every second has a wrong label."""
    pixels, labels = columns(400, seed=2)
    labels[::2] = (labels[::2] + 1) % KINDS
    return pixels, labels


def test_a_curve_is_measured_and_resumed(oracle: keras.Model, images: TrainingImages, tmp_path: Path) -> None:
    counts: list[int] = []
    curve = measure(oracle, images, half_mislabelled(), work=tmp_path, progress=counts.append)
    assert isinstance(curve, LowData)
    assert (curve.images, curve.test_images, curve.labels, curve.draws) == (400, 100, KINDS, 2)
    assert 190 <= curve.kept <= 210  # the filter leaves the correct half
    assert curve.left_out == {99: "the label “column 0” has only 16 training images"}
    (size,) = curve.sizes
    assert size.per_label == 2
    assert size.accuracy["filtered"].value > size.accuracy["real"].value  # 200 correct images beside 8
    gain = size.gain["filtered"].value
    assert gain == pytest.approx(size.accuracy["filtered"].value - size.accuracy["real"].value)
    assert counts[-1] == images_seen(1, draws=2)
    (tmp_path / "low-data-2-1.npz").unlink()  # as after a kill within the second draw
    assert measure(oracle, images, half_mislabelled(), work=tmp_path) == curve


def test_there_is_a_reason_where_nothing_can_be_measured(oracle: keras.Model, images: TrainingImages) -> None:
    new = columns(8, seed=2)
    assert measure(oracle, images, None) == "some new image has values that are not finite numbers"

    def without_labels() -> Iterator[Labelled]:
        yield np.zeros((2, *SHAPE), np.float32), np.full(2, -1)

    why = "it takes at least two test images with a label"
    assert measure(oracle, images, new, test=without_labels) == why
    broken = keras.Model(oracle.inputs, keras.layers.Rescaling(float("nan"))(oracle.output))
    assert measure(broken, images, new) == NOT_FINITE


def test_an_interval_covers_draws_and_test_images() -> None:
    """Two draws with means 0.25 and 0.75, four images with means 0, 0.5, 0.5 and 1; Student's quantile of one degree."""
    outcomes = np.array([[0, 0, 0, 1], [0, 1, 1, 1]])
    assert interval(np.ones((3, 5))) == Interval(1.0, 1.0, 1.0)
    variance = 0.125 / 2 + (1 / 6) / 4
    half = 12.7062 * variance**0.5
    assert vars(interval(outcomes)) == pytest.approx({"value": 0.5, "low": 0.5 - half, "high": 0.5 + half}, rel=1e-4)


def size_of(**gains: tuple[float, float]) -> Size:
    whole: Any = {arm: Interval((low + high) / 2, low, high) for arm, (low, high) in gains.items()}
    return Size(10, {"real": Interval(0.5, 0.4, 0.6), **whole}, whole)


def test_an_interval_decides_what_helps() -> None:
    assert size_of(new=(0.01, 0.03), filtered=(-0.01, 0.05)).helpful == ("new",)
    assert size_of(new=(-0.02, 0.0), filtered=(0.0, 0.05)).helpful == ()
    assert size_of(new=(-0.02, -0.01), filtered=(-0.03, -0.01)).harmful
    assert not size_of(new=(-0.02, -0.01), filtered=(-0.03, 0.01)).harmful


def test_the_document_has_every_size_or_its_reason() -> None:
    curve = LowData(400, 300, 64, 100, 4, 2, (size_of(new=(0.01, 0.03)),), {99: "there are fewer"})
    content = document(curve)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["sizes"]["10"]["gain"] == {"new": {"value": 0.02, "low": 0.01, "high": 0.03}}
    assert content["sizes"]["99"] == {"left_out": "there are fewer"}
    assert document("there are no labels") == {"left_out": "there are no labels"}
