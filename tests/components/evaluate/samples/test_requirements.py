"""What it takes to judge and to fit a flow is told from counts, before long work."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.by_hand import describe
from helpers.ring import ring_vae

from components.evaluate.samples.low_data_curve import NONE, Few
from components.evaluate.samples.requirements import NOT_CONDITIONAL, check_sampler, low_data_left_out
from schemas.errors import DataError

ENOUGH = {"train": 500, "validation": 50, "test": 100}


def check(
    sampler: str = "auto", *, steps: int = 8, plain: bool = False, labels: dict[str, int] | None = None, **options: Any
) -> str | None:
    """Check a model of the ring: a plain autoencoder, or one with training images of these labels."""
    vae = ring_vae()
    vae.kl = "none" if plain else "sum"
    vae.labels = tuple(labels or ())
    images = {**ENOUGH, **options.pop("images", {})}
    statistics = describe(images=images, labels=list(labels or ()), images_per_label={"train": labels or {}})
    return check_sampler(vae, statistics, max_images=options.get("max_images", 100), sampler=sampler, flow_steps=steps)


CASES: list[tuple[dict[str, Any], str]] = [
    ({"images": {"train": 499}}, "a flow takes 500 training images, and there are 499"),
    ({"images": {"validation": 49}}, "a flow takes 50 validation images, and there are 49"),
    ({"labels": {"shirt": 499, "hat": 1}}, "a flow takes 20 training images of each label, and hat has 1"),
    ({"plain": True}, "a plain autoencoder has no distribution to draw new images from"),
    ({"max_images": 0}, "evaluate.distance_images is 0"),
]


@pytest.mark.parametrize(("case", "why"), CASES)
def test_a_flow_is_left_out_and_a_recipe_that_names_it_is_refused(case: dict[str, Any], why: str) -> None:
    assert check(**case) == why
    message = f"^evaluate.sampler: expected normal or auto, found flow, which cannot be fitted: {why}$"
    with pytest.raises(DataError, match=message):
        check("flow", **case)
    assert check(steps=0, **case) is None


def test_enough_images_make_a_flow() -> None:
    for sampler in ("auto", "flow", "mixture", "normal"):
        assert check(sampler, labels={"shirt": 480, "hat": 20}) is None


def test_another_sampler_needs_less() -> None:
    assert check("mixture", images={"train": 40}) == "a flow takes 500 training images, and there are 40"
    with pytest.raises(DataError, match="found mixture, which cannot be fitted: distances need more than 5 test"):
        check("mixture", images={"train": 4})


FEW = Few((10, 50), draws=2)


def left_out(
    train: dict[str, int],
    *,
    few: Few = FEW,
    conditional: bool = True,
    test: int = 20,
    unlabelled: int = 0,
    max_images: int = 100,
) -> list[str]:
    """Return what is left out of a low-data curve with so many training images of each label."""
    vae = ring_vae()
    vae.labels = tuple(train) if conditional else ()
    images = {"train": sum(train.values()) + unlabelled, "validation": 50, "test": 100}
    statistics = describe(
        images=images, labels=list(train), images_per_label={"train": train, "test": dict.fromkeys(train, test)}
    )
    return low_data_left_out(vae, statistics, few, max_images=max_images)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"train": {}, "unlabelled": 60}, "the training images have no labels"),
        ({"train": {"hat": 60, "shirt": 60}, "unlabelled": 3}, "some training images have no label"),
        ({"train": {"hat": 60}}, "all training images have the same label"),
        ({"train": {"hat": 60, "shirt": 60}, "conditional": False}, NOT_CONDITIONAL),
        ({"train": {"hat": 60, "shirt": 60}, "test": 0}, "it takes at least two test images with a label"),
        ({"train": {"hat": 60, "shirt": 60}, "max_images": 0}, "evaluate.distance_images is 0"),
        (
            {"train": {"hat": 60, "shirt": 40}},
            "50 real images of each label: the label “shirt” has only 40 training images",
        ),
    ],
)
def test_what_a_low_data_curve_lacks_is_known_before_the_long_work(case: dict[str, Any], why: str) -> None:
    assert left_out(**case) == [why]
    assert left_out(**case, few=NONE) == []


def test_enough_labelled_images_make_a_whole_low_data_curve() -> None:
    assert left_out({"hat": 60, "shirt": 60}) == []
