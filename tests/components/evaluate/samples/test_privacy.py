"""Copies of training images among new images are detected; fresh images, blurred ones and duplicates are not flagged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from components.evaluate.samples import privacy
from components.evaluate.samples.privacy import Batches, Memorisation, document, measure_memorisation

Array = np.ndarray[Any, Any]


def draw(seed: int, *, count: int, height: int = 16, width: int = 16, channels: int = 1) -> Array:
    """Smooth random images, around grey, of 5 × 5 low frequencies: [n, H, W, C], scale 0 to 1."""
    rows, columns = (np.cos(np.pi * np.outer(np.arange(5), np.arange(side) + 0.5) / side) for side in (height, width))
    amounts = np.random.default_rng(seed).standard_normal((count, 5, 5, channels)) * 0.06
    images: Array = np.clip(0.5 + np.einsum("nijc,ih,jw->nhwc", amounts, rows, columns), 0, 1).astype(np.float32)
    return images


def batches(images: Array, *, size: int = 100) -> Batches:
    def begin() -> Iterator[Array]:
        return (images[start : start + size] for start in range(0, len(images), size))

    return begin


def measure(synthetic: Array, *, held_out: Array, training: Array, size: int = 100) -> Memorisation:
    sets = {"held_out": batches(held_out, size=size), "training": batches(training, size=size)}
    memorisation = measure_memorisation(batches(synthetic, size=size), **sets)
    assert isinstance(memorisation, Memorisation), memorisation
    return memorisation


def distances_to(images: Array, training: Array) -> Array:
    """Root mean squared differences, in float64, one image after another: [n, T]."""
    return np.array(
        [[np.sqrt(np.square(one.astype(np.float64) - other).mean()) for other in training] for one in images]
    )


TRAINING, HELD_OUT, FRESH = (draw(seed, count=count) for seed, count in ((0, 2000), (1, 1000), (2, 1000)))
PLANTED = list(range(50, 1000, 100))  # ten: one in a hundred
ORIGINALS = [7 * number % 2000 for number in PLANTED]  # of training images
NOISE = np.random.default_rng(3).standard_normal((10, 16, 16, 1)).astype(np.float32)


def planted(copies: Array) -> Array:
    """Return fresh images, of which ten are replaced by copies."""
    images = FRESH.copy()
    images[PLANTED] = copies
    return images


def test_one_exact_copy_in_a_hundred_is_counted_and_flagged() -> None:
    memorisation = measure(planted(TRAINING[ORIGINALS]), held_out=HELD_OUT, training=TRAINING)
    assert (memorisation.images, memorisation.training) == (1000, 2000)
    assert (memorisation.exact, memorisation.near, memorisation.near_held_out) == (10, 10, 0)
    assert memorisation.flagged
    assert memorisation.verdict.startswith(
        "10 of 1,000 new images are copies of training images or nearly so (10 exact), where 0 of 1,000 held-out images "
        "are that close: this model gives training images away. "
    )
    assert memorisation.verdict.endswith(privacy.LIMITS)


def test_copies_in_eight_bits_are_exact() -> None:
    memorisation = measure(planted(np.rint(TRAINING[ORIGINALS] * 255) / 255), held_out=HELD_OUT, training=TRAINING)
    assert (memorisation.exact, memorisation.near) == (10, 10)


@pytest.mark.parametrize(
    "copies",
    [
        pytest.param(TRAINING[ORIGINALS] + 0.01 * NOISE, id="slightly noisy"),
        pytest.param(TRAINING[ORIGINALS] * np.float32(0.98), id="a little darker"),
    ],
)
def test_copies_that_are_not_exact_are_flagged_too(copies: Array) -> None:
    memorisation = measure(planted(copies), held_out=HELD_OUT, training=TRAINING)
    assert (memorisation.exact, memorisation.near, memorisation.near_held_out) == (0, 10, 0)
    assert memorisation.flagged


@pytest.mark.parametrize("seed", range(10, 13))
def test_fresh_images_are_not_flagged(seed: int) -> None:
    memorisation = measure(draw(seed, count=1000), held_out=HELD_OUT, training=TRAINING)
    assert not memorisation.flagged
    assert memorisation.exact == 0
    assert memorisation.closer == pytest.approx(0.5, abs=0.08)
    assert memorisation.synthetic.median == pytest.approx(memorisation.held_out.median, rel=0.02)
    assert memorisation.verdict.startswith("No sign of memorised images: 0 of 1,000 new images are copies")
    assert memorisation.verdict.endswith(privacy.LIMITS)


def test_fresh_images_where_near_copies_are_common_are_not_flagged() -> None:
    """Grey squares have a single dimension, so many of them lie close to others by chance."""
    greys = [
        np.broadcast_to(np.random.default_rng(seed).random((500, 1, 1, 1), np.float32), (500, 8, 8, 1))
        for seed in range(3)
    ]
    memorisation = measure(greys[0], held_out=greys[1], training=greys[2])
    assert min(memorisation.near, memorisation.near_held_out) > 100
    assert not memorisation.flagged


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_blurred_fresh_images_are_not_flagged_though_they_are_closer(sigma: float) -> None:
    memorisation = measure(gaussian_filter(FRESH, (0, sigma, sigma, 0)), held_out=HELD_OUT, training=TRAINING)
    assert memorisation.closer > 0.6
    assert memorisation.synthetic.median < memorisation.held_out.median
    assert not memorisation.flagged
    assert "a smaller median alone is no sign of copying" in memorisation.verdict


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_copies_of_duplicated_training_images_are_flagged(noise: float) -> None:
    """Duplicated images are the first that a model memorises."""
    training = np.concatenate([TRAINING, TRAINING, np.rint(TRAINING * 255).astype(np.float32) / 255])
    memorisation = measure(planted(TRAINING[ORIGINALS] + noise * NOISE), held_out=HELD_OUT, training=training)
    assert (memorisation.near, memorisation.near_held_out) == (10, 0)
    assert memorisation.flagged


def test_duplicates_among_training_images_change_nothing() -> None:
    once, twice = (
        measure(FRESH, held_out=HELD_OUT, training=np.concatenate(sets)) for sets in ([TRAINING], [TRAINING] * 2)
    )
    assert document(twice) == {**document(once), "training": 4000}


def test_a_few_exact_copies_are_named_but_not_flagged() -> None:
    synthetic = FRESH.copy()
    synthetic[:3] = TRAINING[:3]
    memorisation = measure(synthetic, held_out=HELD_OUT, training=TRAINING)
    assert not memorisation.flagged
    assert memorisation.verdict.startswith("No clear sign of memorised images: 3 of 1,000 new images are copies")
    assert "(3 exact)" in memorisation.verdict


def test_seven_near_copies_are_flagged_and_six_are_not() -> None:
    for count, flagged in ((6, False), (7, True)):
        synthetic = FRESH.copy()
        synthetic[:count] = TRAINING[:count] + 0.01 * NOISE[:count]
        memorisation = measure(synthetic, held_out=HELD_OUT, training=TRAINING)
        assert (memorisation.near, memorisation.near_held_out, memorisation.flagged) == (count, 0, flagged)


def test_the_ten_closest_pairs_are_the_planted_ones_closest_first() -> None:
    copies = TRAINING[ORIGINALS] + np.linspace(0.01, 0.001, 10, dtype=np.float32)[:, None, None, None] * NOISE
    memorisation = measure(planted(copies), held_out=HELD_OUT, training=TRAINING)
    assert [pair.number for pair in memorisation.pairs] == PLANTED[::-1]
    assert [pair.training_number for pair in memorisation.pairs] == ORIGINALS[::-1]
    for pair in memorisation.pairs:
        np.testing.assert_array_equal(pair.training, TRAINING[pair.training_number])
        np.testing.assert_array_equal(pair.synthetic, copies[PLANTED.index(pair.number)])
        assert pair.distance == pytest.approx(distances_to(pair.synthetic[None], pair.training[None]).item(), rel=1e-5)
    distances = [pair.distance for pair in memorisation.pairs]
    assert distances == sorted(distances)


def test_the_size_of_batches_changes_nothing() -> None:
    synthetic = planted(TRAINING[ORIGINALS] + 0.01 * NOISE)
    documents = [
        document(measure(synthetic, held_out=HELD_OUT, training=TRAINING, size=size)) for size in (7, 300, 5000)
    ]
    assert all(other == documents[0] for other in documents)


def test_sets_are_compared_at_the_size_of_the_smaller_one() -> None:
    memorisation = measure(FRESH[:300], held_out=HELD_OUT, training=TRAINING)
    assert document(memorisation) == document(measure(FRESH[:300], held_out=HELD_OUT[:300], training=TRAINING))
    assert memorisation.images == 300
    assert measure(FRESH, held_out=HELD_OUT[:200], training=TRAINING).images == 200


@pytest.mark.parametrize("seed", range(3))
def test_the_result_follows_its_definition(seed: int) -> None:
    # So few dimensions that some images are near copies by chance.
    training, held_out, synthetic = (draw(3 * seed + i, count=60, height=1, width=6) for i in range(3))
    memorisation = measure(synthetic, held_out=held_out, training=training)
    gaps = distances_to(training, training) + np.diag(np.full(60, np.inf))
    near = []
    for images, side in ((synthetic, memorisation.synthetic), (held_out, memorisation.held_out)):
        distances = distances_to(images, training)
        assert side.median == pytest.approx(np.median(distances.min(axis=1)), rel=1e-5)
        assert side.first_percentile == pytest.approx(np.percentile(distances.min(axis=1), 1), rel=1e-5)
        near.append(int((distances.min(axis=1) < 0.5 * gaps.min(axis=1)[distances.argmin(axis=1)]).sum()))
    assert [memorisation.near, memorisation.near_held_out] == near
    assert max(near) > 0
    ours, real = (distances_to(images, training).min(axis=1) for images in (synthetic, held_out))
    assert memorisation.closer == pytest.approx((ours < np.median(real)).mean())
    assert [pair.distance for pair in memorisation.pairs] == pytest.approx(np.sort(ours)[:10], rel=1e-5)


@pytest.mark.parametrize(("height", "width", "channels"), [(64, 64, 3), (33, 100, 1), (90, 1, 3)])
def test_large_images_are_reduced_but_equal_at_full_size_only(
    height: int, width: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "MAX_BYTES", 1)  # the least at once
    size = {"height": height, "width": width, "channels": channels}
    training, held_out, synthetic = (draw(seed, count=150, **size) for seed in range(3))
    synthetic[:30] = training[10:40]
    synthetic[:10, 0, 0] += 0.01  # a single pixel, which hardly changes the average
    memorisation = measure(synthetic, held_out=held_out, training=training)
    assert memorisation.exact == 20
    assert memorisation.near >= 30 and memorisation.flagged
    assert [pair.number for pair in memorisation.pairs] == list(range(10, 20))
    assert all(pair.synthetic.shape == pair.training.shape == (height, width, channels) for pair in memorisation.pairs)


def test_large_images_are_compared_by_averages_over_equal_areas() -> None:
    training, synthetic = np.zeros((2, 64, 128, 1), np.float32), np.zeros((1, 64, 128, 1), np.float32)
    training[1] = 1
    synthetic[:, ::2, ::2] = 0.4  # one pixel of the four, or four of the sixteen, that are averaged
    memorisation = measure(synthetic, held_out=synthetic, training=training)
    assert memorisation.synthetic.median == pytest.approx(0.1, rel=1e-5)
    narrow, ramp = np.zeros((2, 1, 48, 1), np.float32), np.zeros((1, 1, 48, 1), np.float32)
    narrow[1] = 1
    ramp[:, :, ::3] = 0.9  # two areas out of three pixels: the first has 0.9 · 2/3 of it, the second none
    memorisation = measure(ramp, held_out=ramp, training=narrow)
    assert memorisation.synthetic.median == pytest.approx(0.6 / np.sqrt(2), rel=1e-5)


def test_a_copy_shifted_by_one_pixel_is_a_near_copy() -> None:
    training, held_out, synthetic = (draw(seed, count=500, height=128, width=128) for seed in range(3))
    synthetic[:10] = np.roll(training[:10], 1, axis=2)
    assert measure(synthetic, held_out=held_out, training=training).near >= 10


@pytest.mark.parametrize(
    ("sets", "clause"),
    [
        ({"training": TRAINING[:1]}, "there are fewer than two training images"),
        ({"training": TRAINING[:0]}, "there are fewer than two training images"),
        ({"synthetic": FRESH[:0]}, "there are no new images"),
        ({"held_out": HELD_OUT[:0]}, "there are no held-out images"),
        ({"training": TRAINING[[0] * 700]}, "all training images are the same"),
        ({"synthetic": np.full_like(FRESH, np.nan)}, "some image has values that are not finite numbers"),
    ],
)
def test_the_reason_for_no_result_is_a_clause(sets: dict[str, Array], clause: str) -> None:
    images = {"synthetic": FRESH, "held_out": HELD_OUT, "training": TRAINING, **sets}
    streams = {name: batches(images) for name, images in images.items()}
    assert measure_memorisation(streams.pop("synthetic"), **streams) == clause
    assert document(clause) == {"left_out": clause}


def test_the_document_is_json_with_six_digits_and_no_images() -> None:
    memorisation = measure(planted(TRAINING[ORIGINALS] + 0.01 * NOISE), held_out=HELD_OUT, training=TRAINING)
    written = document(memorisation)
    assert json.loads(json.dumps(written)) == written
    assert written["flagged"] is True
    assert written["verdict"] == memorisation.verdict
    assert written["synthetic"] == {
        "median": float(f"{memorisation.synthetic.median:.6g}"),
        "first_percentile": float(f"{memorisation.synthetic.first_percentile:.6g}"),
    }
    assert [set(pair) for pair in written["pairs"]] == [{"number", "training_number", "distance"}] * 10
    assert {name: written[name] for name in ("images", "training", "exact", "near", "near_held_out", "closer")} == {
        "images": 1000,
        "training": 2000,
        "exact": 0,
        "near": 10,
        "near_held_out": 0,
        "closer": memorisation.closer,
    }
