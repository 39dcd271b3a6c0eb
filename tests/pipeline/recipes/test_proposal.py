"""Model, loss and training are proposed by the images and by the machine's speed, each with its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.recipes.proposal import MINUTES, Facts, Proposal, propose
from schemas.recipe.recipe import Recipe

PHOTOS = Facts(size=128, channels=3, training=2700, validation=300, labels=(120, 900), every_label=True)
DIGITS = Facts(size=28, channels=1, training=50_000, validation=5_000, labels=(5_000,) * 10, every_label=True)


def validated(proposal: Proposal, facts: Facts) -> Recipe:
    """Return the recipe of a proposal."""
    preprocess = {"height": facts.size, "width": facts.size, "channels": facts.channels}
    fields = {"name": "mine", "sources": [{"kind": "digits"}], "preprocess": preprocess}
    return Recipe.model_validate({**fields, **proposal.sections})


def at_rate(facts: Facts, rate: float) -> Proposal:
    return propose(facts, measure=lambda sections: rate)


@pytest.mark.parametrize("size", [28, 32, 64, 128])
@pytest.mark.parametrize("training", [1, 36, 300, 1_600, 60_000])
@pytest.mark.parametrize("rate", [None, 0.5, 100.0, 1e5])
def test_every_proposal_is_a_valid_recipe(size: int, training: int, rate: float | None) -> None:
    facts = replace(PHOTOS, size=size, training=training, validation=training // 8)
    recipe = validated(propose(facts, measure=None if rate is None else lambda sections: rate), facts)
    assert recipe.model.network == "resnet"
    assert recipe.loss.likelihood == "gaussian"
    assert recipe.model.log_variance_limit is not None
    assert recipe.train.warmup_epochs <= recipe.train.epochs


def reason(proposal: Proposal, key: str) -> str:
    return next(line for line in proposal.reasons if line.startswith(key))


def test_the_training_takes_the_time_that_the_machine_allows() -> None:
    fast, slow = (validated(at_rate(DIGITS, rate), DIGITS) for rate in (1e5, 300.0))
    assert fast.train.epochs == 24
    assert slow.train.epochs == int(300 * 60 * MINUTES / 50_000)
    assert "24 epochs would be better" in at_rate(DIGITS, 300.0).duration
    assert "not measured" in reason(propose(DIGITS), "epochs")


def test_a_slow_machine_gets_a_narrower_network() -> None:
    widths: list[Any] = []

    def rate(sections: dict[str, Any]) -> float:
        widths.append(sections["model"]["widths"])
        return 10.0 * 128 / widths[-1][-1]

    assert propose(PHOTOS, measure=rate).sections["model"]["widths"] == [32, 48, 64]
    assert widths == [[64, 96, 128], [32, 48, 64]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": ()}, "there are no two labels"),
        ({"every_label": False}, "some images have no label"),
        ({"labels": (12, 900)}, "the rarest label has 12 training images"),
        ({"labels": (200,) * 101}, "101 labels are more than 100"),
    ],
)
def test_labels_are_taken_where_there_are_enough_images_of_each(change: dict[str, Any], why: str) -> None:
    assert propose(PHOTOS).sections["model"]["conditional"]
    without = propose(replace(PHOTOS, **change))
    assert "conditional" not in without.sections["model"]
    assert why in reason(without, "conditional: off")


def test_a_search_that_cannot_tell_its_trials_apart_is_not_proposed() -> None:
    few, many = at_rate(PHOTOS, 100.0), at_rate(DIGITS, 1e3)
    assert not few.searched
    assert few.sections["train"]["use_tuned"] is False
    assert "a trial of 2 epochs has 170 steps" in reason(few, "use_tuned: no search")
    assert many.searched
    assert many.sections["train"]["use_tuned"] is True
    assert many.sections["tune"]["max_images"] * 2 / 128 == 400


def test_too_few_images_are_said() -> None:
    tiny = propose(replace(PHOTOS, training=36, validation=4))
    assert tiny.warning.startswith("36 training images are too few: expect blurred images that hardly differ")
    assert tiny.sections["generate"]["count"] == 100
    assert propose(PHOTOS).warning == ""
