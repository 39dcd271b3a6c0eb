"""Where codes of new images come from: what is nearest to validation images, or what the recipe names; else the prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.ring import CHOOSE, Array, judged, ring_images, ring_vae, samplers, spaces

from components.evaluate.samples import fitted_samplers, sampler_choice
from components.evaluate.samples.judge import Judgement, document
from models.code_samplers import CodeSampler
from schemas.artifacts.kinds import Examples

MakeExamples = Callable[..., Examples]

pytestmark = pytest.mark.usefixtures("quick_judge")


def test_codes_come_from_the_sampler_whose_images_are_nearest_to_validation_images(plain: Judgement) -> None:
    held_out = {kind: result.held_out for kind, result in samplers(plain).items()}
    assert None not in held_out.values()
    assert plain.sampler.kind == min(("normal", "uniform", "mixture"), key=held_out.__getitem__) == "mixture"
    assert plain.sampler is samplers(plain)["mixture"].sampler
    assert spaces(plain)["random"].synthetic.frechet == samplers(plain)["mixture"].frechet
    assert spaces(plain)["random"].synthetic.kernel.value == samplers(plain)["mixture"].kernel


def test_codes_of_training_images_are_not_taken_unasked(ring: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_samplers, "COMPONENTS", (1,))  # no mixture that matches a ring
    found = judged(ring_vae(), ring)
    held_out = {kind: result.held_out for kind, result in samplers(found).items()}
    assert min(held_out, key=held_out.__getitem__) == "posterior"
    assert found.sampler.kind == min(("normal", "uniform", "mixture"), key=held_out.__getitem__)


@pytest.mark.parametrize("kind", ["normal", "uniform", "mixture", "posterior"])
def test_a_sampler_that_is_named_is_taken(kind: str, ring: Examples, plain: Judgement) -> None:
    found = judged(ring_vae(), ring, sampler=kind)
    assert found.sampler.kind == kind
    assert document(found)["samplers"] == {**document(plain)["samplers"], "chosen": kind}
    assert spaces(found)["random"].synthetic.frechet == samplers(plain)[kind].frechet


@pytest.mark.parametrize(
    ("validation", "most", "chosen"),
    [(0, 1000, "normal"), (CHOOSE - 1, 1000, "normal"), (CHOOSE, 1000, "mixture"), (CHOOSE, CHOOSE - 1, "normal")],
)
def test_too_few_validation_images_choose_nothing_but_the_prior(
    validation: int, most: int, chosen: str, make_examples: MakeExamples
) -> None:
    examples = make_examples(ring_images()[0], training=200, validation=validation)
    found = judged(ring_vae(), examples, most=most)
    assert found.sampler.kind == chosen
    unknown = [result.held_out is None for result in samplers(found).values()]
    assert unknown == [chosen == "normal"] * 4
    assert all(result.frechet >= 0 for result in samplers(found).values())


def test_a_named_sampler_needs_no_validation_images(make_examples: MakeExamples) -> None:
    examples = make_examples(ring_images()[0], training=200)
    assert judged(ring_vae(), examples, sampler="uniform").sampler.kind == "uniform"


class Nowhere(CodeSampler):
    """Codes that no decoder can draw."""

    kind = "uniform"

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        return np.full(np.shape(normal), np.nan, np.float32)

    def log_density(self, codes: Array, labels: Array | None = None) -> Array:
        return np.full(len(codes), np.nan)

    def arrays(self) -> dict[str, Array]:
        return {}


def test_a_sampler_whose_images_are_no_numbers_is_not_taken(
    ring: Examples, plain: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = sampler_choice.fit_samplers

    def fit_samplers(*given: Any, **options: Any) -> list[CodeSampler]:
        return [Nowhere() if sampler.kind == "uniform" else sampler for sampler in fit(*given, **options)]

    monkeypatch.setattr(sampler_choice, "fit_samplers", fit_samplers)
    found = judged(ring_vae(), ring)
    assert found.sampler.kind == "mixture"
    assert document(found)["samplers"]["mixture"] == document(plain)["samplers"]["mixture"]
