"""A flow is fitted to posteriors: its codes lie where they do, the same each time, and reasons are said where none is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.ring import Bars, ring_images, ring_vae

from components.evaluate.samples import fitted_flow
from components.evaluate.samples.fitted_flow import fit_flow, fit_flow_to_images, training_steps
from components.examples.training_images import TrainingImages
from components.latents.fitted_samplers import fit_samplers
from components.latents.posteriors import Posteriors
from models.code_samplers import Mixture
from models.flow import Flow
from schemas.artifacts.kinds import Examples

Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("flow")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit small networks in few steps."""
    small = {"WIDTH": 32, "BLOCKS": 1, "BATCH": 128, "MAX_STEPS": 300, "CHECKED": 100, "LEARNING_RATE": 5e-3}
    for name, value in small.items():
        monkeypatch.setattr(fitted_flow, name, value)


def ring(count: int, *, seed: int = 0, labelled: bool = False) -> Posteriors:
    """Return narrow posteriors on a ring of radius 2, in the first two of three dimensions; the third is not in use."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, count)
    means = np.stack([2 * np.cos(angle), 2 * np.sin(angle), 0 * angle], axis=1).astype(np.float32)
    log_variances = np.tile(np.array([-4.0, -4.0, 0.0], np.float32), (count, 1))
    return Posteriors(means, log_variances, (means[:, 0] > 0).astype(np.int64) if labelled else None)


def mixture_of(posteriors: Posteriors, *, components: int = 3) -> Mixture:
    """Return a mixture of equal components around means of each label, spread evenly."""
    labels = np.zeros(len(posteriors.means), np.int64) if posteriors.labels is None else posteriors.labels
    means = [posteriors.means[labels == label][:components] for label in np.unique(labels)]
    shares = np.full((len(means), components), 1 / components, np.float32)
    factors = np.tile(np.eye(3, dtype=np.float32), (len(means), components, 1, 1))
    return Mixture(shares, np.stack(means), factors)


def fitted(posteriors: Posteriors, **options: Any) -> Flow:
    """Fit a flow of four steps."""
    held_out = ring(60, seed=1, labelled=posteriors.labels is not None)
    flow = fit_flow(posteriors, held_out, mixture=mixture_of(posteriors), steps=4, seed=3, **options)
    assert isinstance(flow, Flow)
    return flow


def draw(flow: Flow, labels: Array | None = None) -> Array:
    """Draw 500 codes."""
    random = np.random.default_rng(2)
    return np.asarray(flow.codes(random.standard_normal((500, 3)), random.random(500), labels))


def test_codes_lie_on_the_ring_and_unused_dimensions_are_normal() -> None:
    posteriors, done = ring(600), list[int]()
    flow = fitted(posteriors, progress=done.append)
    assert done == [100, 200, 300]
    np.testing.assert_array_equal(flow.used, [0, 1])
    np.testing.assert_array_equal(
        draw(flow)[:, 2], np.random.default_rng(2).standard_normal((500, 3))[:, 2].astype(np.float32)
    )
    radius = np.hypot(*draw(flow)[:, :2].T)
    normal = np.hypot(*(1.42 * np.random.default_rng(4).standard_normal((2, 500))))  # of the same variance
    assert np.abs(radius - 2).mean() < 0.6 * np.abs(normal - 2).mean()
    sizes = np.bincount(mixture_of(posteriors).components(posteriors.means), minlength=3)
    np.testing.assert_allclose(flow.shares[0], sizes / 600, atol=1e-6)


def test_the_same_posteriors_give_the_same_flow_and_labels_their_own_codes() -> None:
    first, second = (fitted(ring(300, labelled=True)) for _ in range(2))
    for name, values in first.arrays().items():
        np.testing.assert_array_equal(values, second.arrays()[name])
    right = [draw(first, np.full(500, label))[:, 0].mean() for label in range(2)]
    assert right[0] < -0.5 and right[1] > 0.5


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"means": np.zeros((600, 3), np.float32), "log_variances": np.zeros((600, 3), np.float32)},
            "dimension is in use",
        ),
        ({"means": np.full((60, 3), np.nan, np.float32)}, "numbers are not finite"),
    ],
)
def test_where_no_flow_can_be_fitted_the_reason_is_returned(change: dict[str, Array], why: str) -> None:
    training, held_out = ring(600), ring(60)
    mixture = mixture_of(training)
    if len(change["means"]) == 600:
        training = Posteriors(**change, labels=None)
    else:
        held_out = Posteriors(change["means"], held_out.log_variances, None)
    flow = fit_flow(training, held_out, mixture=mixture, steps=4, seed=0)
    assert isinstance(flow, str) and why in flow


def test_a_saved_flow_is_not_fitted_again(make_examples: Callable[..., Examples], tmp_path: Path) -> None:
    images, _ = ring_images(100)
    vae, training = ring_vae(), TrainingImages(make_examples(images, training=70, validation=20))
    options: dict[str, Any] = {"steps": 2, "seed": 0, "saved": tmp_path / "flow.npz"}
    mixture = fit_samplers(*(np.asarray(values) for values in vae.encode(images)), labels=None, label_count=0, seed=0)[
        1
    ]
    assert isinstance(mixture, Mixture)
    bars = Bars()
    first = fit_flow_to_images(vae, training, mixture=mixture, bar=bars, **options)
    assert bars.updates["flow"] == (100, [100])
    again = fit_flow_to_images(vae, training, mixture=mixture, bar=(resumed := Bars()), **options)
    assert resumed.updates == {}
    assert isinstance(first, Flow) and isinstance(again, Flow)
    for name, values in first.arrays().items():
        np.testing.assert_array_equal(values, again.arrays()[name])


def test_training_is_longer_for_more_codes_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_flow, "MAX_STEPS", 500)
    steps = [training_steps(count) for count in (10, 100, 1_000, 100_000)]
    assert steps == sorted(steps) and steps[0] == 100 and steps[-1] == 500
