"""The generator of a conditional model takes labels, or draws them by their shares in training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.export.saved_model import write_saved_model
from components.latents.noise import seeded_labels
from schemas.artifacts.kinds import Generator

Array = np.ndarray[Any, Any]
MakeVae = Callable[..., Any]
COUNTS = {"left": 3, "middle/ä": 6, "right": 1}
SHARES = (0.3, 0.6, 0.1)
LABELS = ((None,), tf.int64)
IMAGES = ((None, 8, 8, 1), tf.uint8)
VALUES = ((None, 8, 8, 1), tf.float32)
CODES = ((None, 3), tf.float32)
SCALAR = ((), tf.int64)
SIGNATURES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "encode": ({"images": IMAGES, "labels": LABELS}, {"mean": CODES, "log_variance": CODES}),
    "decode": ({"codes": CODES, "labels": LABELS}, {"images": IMAGES, "values": VALUES}),
    "reconstruct": ({"images": IMAGES, "labels": LABELS}, {"images": IMAGES, "values": VALUES}),
    "interpolate": (
        {"images": ((2, 8, 8, 1), tf.uint8), "steps": ((), tf.int32), "labels": ((2,), tf.int64)},
        {"images": IMAGES, "values": VALUES, "codes": CODES},
    ),
    "sample": (
        {"normal": CODES, "uniform": ((None,), tf.float32), "temperature": ((), tf.float32), "labels": LABELS},
        {"codes": CODES},
    ),
    "generate": (
        {
            "seed": SCALAR,
            "start": SCALAR,
            "count": ((), tf.int32),
            "temperature": ((), tf.float32),
            "label": (None, tf.int64),  # a scalar, or one for each
        },
        {"images": IMAGES, "values": VALUES, "codes": CODES, "labels": LABELS},
    ),
}


def draw(seed: int, *, start: int = 0, count: int, shares: tuple[float, ...] = SHARES) -> Array:
    """Draw labels as the generator does."""
    return np.asarray(seeded_labels(seed, start=start, count=count, shares=shares))


@pytest.fixture(scope="module")
def vae(make_vae: MakeVae) -> Any:
    """Return a conditional model of three labels."""
    return make_vae(labels=COUNTS)


def generate(loaded: Any, *, seed: int = 7, start: int = 0, count: int, label: int | list[int]) -> dict[str, Array]:
    """Call the signature `generate`."""
    result = loaded.signatures["generate"](
        seed=tf.constant(seed, tf.int64),
        start=tf.constant(start, tf.int64),
        count=tf.constant(count, tf.int32),
        temperature=tf.constant(1.0),
        label=tf.constant(label, tf.int64),
    )
    return {name: value.numpy() for name, value in result.items()}


def test_the_signatures_have_the_published_inputs_and_outputs(loaded: Any) -> None:
    signatures = {}
    for name, signature in loaded.signatures.items():
        inputs = signature.structured_input_signature[1]
        outputs = signature.structured_outputs
        signatures[name] = tuple(
            {
                key: (None if spec.shape.rank is None else tuple(spec.shape.as_list()), spec.dtype)
                for key, spec in specs.items()
            }
            for specs in (inputs, outputs)
        )
    assert signatures == SIGNATURES


def test_one_label_for_all_images(loaded: Any, vae: Any) -> None:
    for label in range(len(COUNTS)):
        result = generate(loaded, count=20, label=label)
        assert result["labels"].tolist() == [label] * 20
        expected = np.asarray(vae.normalise.to_unit(vae.decode(result["codes"], result["labels"])))
        np.testing.assert_allclose(result["values"], expected, atol=1e-5)


def test_each_image_may_have_a_label_of_its_own(loaded: Any) -> None:
    labels = [0, 2, -1, 1]
    result = generate(loaded, count=4, label=labels)
    drawn = generate(loaded, count=4, label=-1)["labels"]
    assert result["labels"].tolist() == [0, 2, drawn[2], 1]
    for place, label in enumerate(result["labels"].tolist()):
        expected = generate(loaded, count=4, label=label)["values"][place]
        np.testing.assert_allclose(result["values"][place], expected, atol=1e-5)


def test_the_label_changes_the_image_and_not_its_code(loaded: Any) -> None:
    one, other = (generate(loaded, count=5, label=label) for label in (0, 1))
    np.testing.assert_array_equal(one["codes"], other["codes"])
    assert not np.array_equal(one["images"], other["images"])


def test_labels_are_drawn_by_their_shares_in_training(loaded: Any) -> None:
    labels = generate(loaded, count=4000, label=-1)["labels"]
    for label, share in enumerate(SHARES):
        error = (share * (1 - share) / 4000) ** 0.5
        assert (labels == label).mean() == pytest.approx(share, abs=5 * error)


def test_a_label_depends_on_seed_and_index_alone() -> None:
    whole = draw(7, count=100)
    np.testing.assert_array_equal(draw(7, start=37, count=20), whole[37:57])
    np.testing.assert_array_equal(draw(7, count=100), whole)
    assert not np.array_equal(draw(8, count=100), whole)


def test_a_label_is_independent_of_the_code(loaded: Any) -> None:
    result = generate(loaded, count=4000, label=-1)
    for label, share in enumerate(SHARES):
        mean = result["codes"][result["labels"] == label].mean(axis=0)
        assert np.abs(mean).max() < 5 / (4000 * share) ** 0.5


@pytest.mark.parametrize("shares", [(1.0,), (0.0, 1.0), (1.0, 0.0), (0.5, 0.0, 0.5)])
def test_a_label_that_no_training_image_has_is_never_drawn(shares: tuple[float, ...]) -> None:
    labels = set(draw(1, count=500, shares=shares).tolist())
    assert labels == {label for label, share in enumerate(shares) if share}


def test_the_saved_model_has_the_labels_names(saved_model: Path) -> None:
    labels = Generator(saved_model.parent).labels_path
    assert labels.parent.parent == saved_model
    assert json.loads(labels.read_text(encoding="utf-8")) == list(COUNTS)


def test_an_unconditional_model_has_no_file_of_labels(make_vae: MakeVae, tmp_path: Path) -> None:
    write_saved_model(make_vae(), tmp_path / "saved_model")
    assert not Generator(tmp_path).labels_path.exists()
