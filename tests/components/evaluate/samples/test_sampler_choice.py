"""Which sampler new codes come from: the one that the recipe names, or the one nearest to validation images, or the prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.ring import ring_images, ring_vae

from components.evaluate.samples import sampler_choice
from components.evaluate.samples.distances import NOT_FINITE
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.kid import kernel_distance
from components.evaluate.samples.sampler_choice import Choice, choose_sampler
from components.examples.training_images import TrainingImages
from components.latents.fitted_samplers import fit_to_training
from components.latents.noise import binarised
from models.code_samplers import AggregatePosterior, CodeSampler, Mixture, Normal, UniformBox
from schemas.artifacts.kinds import Examples

Array = np.ndarray[Any, Any]
ENOUGH = 20  # validation images
ONES = np.ones((1, 2), np.float32)
SAMPLERS: list[CodeSampler] = [
    Normal(2),
    UniformBox(-ONES[0], ONES[0]),
    Mixture(np.ones((1, 1), np.float32), ONES[None], np.eye(2, dtype=np.float32)[None, None]),
    AggregatePosterior(ONES, ONES, np.array([0, 1], np.int32)),
]
# How far each sampler's images lie from real ones; the posterior's are nearest.
SHIFTS = {"normal": 3.0, "uniform": 2.0, "mixture": 1.0, "posterior": 0.0}


@pytest.fixture(autouse=True)
def few_validation_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose a sampler by so few validation images."""
    monkeypatch.setattr(sampler_choice, "MIN_VALIDATION", ENOUGH)


def features(seed: int, *, count: int = 40, shift: float = 0.0) -> Array:
    """Return features of images in one space: [count, 3]."""
    return (np.random.default_rng(seed).standard_normal((count, 3)) + shift).astype(np.float32)


NEW = {kind: features(number, shift=shift) for number, (kind, shift) in enumerate(SHIFTS.items())}
TEST, TRAINING, VALIDATION = (features(seed) for seed in (10, 11, 12))
NAN = np.full((40, 3), np.nan, np.float32)


@pytest.mark.parametrize("binary", [False, True])
def test_samplers_are_fitted_to_the_codes_of_training_images(
    binary: bool, make_examples: Callable[..., Examples]
) -> None:
    """Those of a model of binary images are fitted to binary images."""
    images, _ = ring_images(40)
    vae, counts = ring_vae(), list[int]()
    vae.likelihood.binarise = binary
    training = TrainingImages(make_examples(images, training=40))
    prior, box, mixture, posterior = fit_to_training(vae, training, seed=0, progress=counts.append)
    assert [sampler.kind for sampler in (prior, box, mixture, posterior)] == list(SHIFTS)
    means, _ = vae.encode(binarised(images, seed=0, start=0) if binary else images)
    np.testing.assert_allclose(box.low, np.min(means, axis=0), atol=1e-5)
    np.testing.assert_allclose(box.high, np.max(means, axis=0), atol=1e-5)
    assert counts == [40]


def choose(*, kind: str = "auto", validation: int = 40, excess: dict[str, float] | None = None, **new: Array) -> Choice:
    """Choose a sampler by the first validation images; `new` replaces the features of some samplers' images.

    `excess` is the blur that each sampler's images are worth beyond reconstructions; None: no measure can tell.
    """
    return choose_sampler(
        SAMPLERS,
        kind=kind,
        synthetic=[[images] for images in {**NEW, **new}.values()],
        test=[TEST],
        training=[TRAINING],
        validation=[VALIDATION[:validation]] if validation else [],
        excess=[None] * len(SAMPLERS) if excess is None else [excess[kind] for kind in NEW],
        seed=0,
    )


def test_the_sampler_that_loses_the_least_beside_reconstructions_is_taken() -> None:
    """Also where another's images are nearer to validation images in features."""
    lost = {"normal": 0.2, "uniform": -0.1, "mixture": 0.1, "posterior": -0.3}
    choice = choose(excess=lost)
    assert choice.sampler.kind == "uniform"
    assert [result.excess for result in choice.results] == list(lost.values())


def test_of_samplers_that_lose_nothing_the_nearest_is_taken() -> None:
    lost = {"normal": -0.1, "uniform": -0.2, "mixture": 0.0, "posterior": -0.3}
    assert choose(excess=lost).sampler.kind == "mixture"


def test_results_are_distances_from_validation_and_test_images() -> None:
    choice = choose()
    for sampler, result, images in zip(SAMPLERS, choice.results, NEW.values(), strict=True):
        assert result.sampler is sampler
        assert result.held_out == frechet_distance(VALIDATION, images)
        assert result.frechet == frechet_distance(TEST, images)
        assert result.kernel == kernel_distance(TEST, images, seed=0).value


def test_the_nearest_sampler_is_taken_except_the_one_of_training_images_codes() -> None:
    choice = choose()
    held_out = {result.sampler.kind: result.held_out for result in choice.results}
    assert min(held_out, key=held_out.__getitem__) == "posterior"
    assert (choice.sampler.kind, choice.why_not_chosen) == ("mixture", None)


@pytest.mark.parametrize("kind", ["normal", "uniform", "mixture", "posterior"])
@pytest.mark.parametrize("validation", [0, 40])
def test_a_sampler_that_is_named_is_taken(kind: str, validation: int) -> None:
    assert choose(kind=kind, validation=validation).sampler.kind == kind


@pytest.mark.parametrize(("validation", "kind"), [(0, "normal"), (ENOUGH - 1, "normal"), (ENOUGH, "mixture")])
def test_with_too_few_validation_images_the_prior_is_taken(validation: int, kind: str) -> None:
    choice = choose(validation=validation)
    assert choice.sampler.kind == kind
    enough = kind == "mixture"
    why = f"it takes {ENOUGH} validation images, and there are {validation}"
    assert choice.why_not_chosen == (None if enough else why)
    assert [result.held_out is not None for result in choice.results] == [enough] * 4
    assert all(result.frechet is not None and result.frechet >= 0 for result in choice.results)


def test_a_sampler_whose_images_are_nan_is_not_taken() -> None:
    choice = choose(mixture=NAN)
    assert choice.sampler.kind == "uniform"
    results = {result.sampler.kind: result for result in choice.results}
    assert (results["mixture"].held_out, results["mixture"].kernel, results["mixture"].frechet) == (None,) * 3
    assert results["uniform"] == choose().results[1]


def test_where_all_images_are_nan_the_prior_is_taken() -> None:
    choice = choose(**dict.fromkeys(NEW, NAN))
    assert (choice.sampler.kind, choice.why_not_chosen) == ("normal", NOT_FINITE)


def test_samplers_are_compared_in_the_last_space_whose_real_features_are_numbers() -> None:
    far = {kind: images + 100 for kind, images in NEW.items()}
    for broken, index in (("none", 1), ("test", 0), ("training", 0), ("validation", 0)):
        sets = {"test": [TEST, TEST], "training": [TRAINING, TRAINING], "validation": [VALIDATION, VALIDATION]}
        if broken in sets:
            sets[broken] = [sets[broken][0], NAN]
        new = [[images, far[kind]] for kind, images in NEW.items()]
        choice = choose_sampler(SAMPLERS, kind="auto", synthetic=new, excess=[None] * len(SAMPLERS), seed=0, **sets)
        assert choice.space_index == index
        assert (choice.results[0].frechet or 0) > (1000 if index else 0)
