"""Combinations of settings that are errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.recipe.recipe import Recipe

MakeRecipe = Callable[..., Recipe]


@pytest.mark.parametrize("normalise", ["symmetric", "standardise"])
def test_bernoulli_needs_pixels_between_0_and_1(make_recipe: MakeRecipe, normalise: str) -> None:
    bernoulli = {"loss.likelihood": "bernoulli"}
    make_recipe({**bernoulli, "preprocess.normalise": "unit"})
    with pytest.raises(ValidationError, match=f"expected unit with loss.likelihood: bernoulli, found {normalise}"):
        make_recipe({**bernoulli, "preprocess.normalise": normalise})
    make_recipe({"loss.likelihood": "mse", "preprocess.normalise": normalise})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss.kl": "none", "loss.free_bits": 0.5}, "free_bits: expected 0 with kl: none, found 0.5"),
        ({"loss.kl": "none", "loss.kl_warmup_epochs": 3}, "kl_warmup_epochs: expected 0 with kl: none, found 3"),
        (
            {"loss.kl": "mean", "loss.importance_epochs": 2},
            "importance_epochs: expected 0 with kl: mean, found 2; try sum",
        ),
        (
            {"loss.importance_epochs": 8, "loss.kl_warmup_epochs": 3},
            r"loss.importance_epochs: expected at most train.epochs less kl_warmup_epochs \(7\), found 8",
        ),
        ({"evaluate.gates": {"metrics.mse": {}}}, "expected at_least or at_most, found neither"),
        (
            {"evaluate.gates": {"metrics.foo": {"at_most": 1}}},
            "gates: expected metrics. and one of ssim, .*, found metrics.foo",
        ),
        ({"evaluate.gates": {"mse": {"at_most": 1}}}, "gates: expected names that begin with one of metrics, "),
        ({"evaluate.sampler": "flow"}, "flow_steps: expected 1 or more with sampler flow, found 0"),
        (
            {"loss": {"likelihood": "logistic"}},
            "preprocess.normalise: expected symmetric with loss.likelihood: logistic, found unit",
        ),
        (
            {"model": {"network": "resnet", "local_latents": 2}, "loss.kl": "none"},
            "model.local_latents: expected 0 with loss.kl: none, found 2",
        ),
        (
            {"model.prior_components": 5, "loss.kl": "mean"},
            "loss.kl: expected sum with model.prior_components: 5, found mean",
        ),
        (
            {"model.prior_components": 5, "loss.free_bits": 0.1},
            "loss.free_bits: expected 0 with model.prior_components: 5, found 0.1",
        ),
        (
            {"model.prior_components": 5, "evaluate.sampler": "normal"},
            "evaluate.sampler: expected prior with model.prior_components: 5, found normal",
        ),
        (
            {"evaluate.sampler": "prior"},
            "evaluate.sampler: expected normal with model.prior_components: 0, found prior",
        ),
        ({"model.log_variance_limit": [2, 2]}, r"log_variance_limit: expected \[lowest, highest\], found \[2, 2\]"),
        ({"train.optimizer": "adamw"}, "weight_decay: expected more than 0 with optimizer: adamw, found 0"),
        ({"train.weight_decay": 0.1}, "weight_decay: expected 0 with optimizer: adam, found 0.1; try adamw"),
        ({"train.warmup_epochs": 2}, "warmup_epochs: expected 0 with schedule: constant, found 2; try cosine"),
        (
            {"train.warmup_epochs": 10, "train.schedule": "cosine", "train.epochs": 10},
            r"warmup_epochs: expected less than epochs \(10\), found 10",
        ),
    ],
)
def test_a_wrong_combination_is_an_error_that_says_what_is_right(
    make_recipe: MakeRecipe, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        make_recipe(changes)


@given(
    strides=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    output_stride=st.integers(1, 4),
    height=st.integers(4, 96),
    width=st.integers(4, 96),
)
def test_the_decoders_strides_must_divide_height_and_width(
    make_recipe: MakeRecipe, strides: list[int], output_stride: int, height: int, width: int
) -> None:
    changes = {
        "preprocess.height": height,
        "preprocess.width": width,
        "model.decoder": [[8, stride] for stride in strides],
        "model.output_stride": output_stride,
    }
    stride = math.prod(strides) * output_stride
    wrong = [(key, size) for key, size in (("height", height), ("width", width)) if size % stride]
    if not wrong:
        make_recipe(changes)
        return
    key, size = wrong[0]
    with pytest.raises(ValidationError, match=f"preprocess.{key}: expected a multiple of {stride}, .* found {size}"):
        make_recipe(changes)
