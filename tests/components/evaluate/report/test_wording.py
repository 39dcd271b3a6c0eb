"""Numbers and verdicts in words."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from helpers.flows import small_flow
from helpers.judgements import judged, measured, quality_of

from components.evaluate.reconstruction.latent import AggregatePosterior, Smoothness
from components.evaluate.report import wording
from components.evaluate.report.gates import Outcome
from components.evaluate.samples.distances import Compared, Comparison, Distances
from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.flow_trade import Trade
from components.evaluate.samples.kid import Interval
from components.evaluate.samples.neighbours import Manifold
from components.evaluate.samples.privacy import Memorisation, Nearest
from components.evaluate.samples.sampler_choice import SamplerResult
from components.evaluate.samples.usefulness import Usefulness
from models.code_samplers import Kind, Normal, UniformBox
from schemas.recipe.evaluate import EvaluateSection

BOX = UniformBox(np.zeros(2, np.float32), np.ones(2, np.float32))
USEFUL = Usefulness(images=1000, test_images=300, real=0.9, synthetic=0.6, both=0.9123)


@pytest.mark.parametrize(
    ("variances", "expected"),
    [
        ([1.0], "the only latent dimension is in use"),
        ([1.0, 0.5], "both latent dimensions are in use"),
        ([1.0] * 32, "all 32 latent dimensions are in use"),
        ([1.0, 0.0, 1.0], "1 of 3 latent dimensions is unused"),
        ([1.0, 0.0, 0.01], "2 of 3 latent dimensions are unused"),
        ([0.0, 0.0], "2 of 2 latent dimensions are unused, so it makes the same image from every code"),
        ([0.0], "1 of 1 latent dimension is unused, so it makes the same image from every code"),
    ],
)
def test_unused_dimensions_are_named(variances: list[float], expected: str) -> None:
    assert wording.dimensions(measured(variances)) == expected


def test_one_image_tells_nothing_about_dimensions() -> None:
    assert "a single test image cannot tell" in wording.summary(measured([0.0, 0.0], images=1))


def test_summary_backs_its_words_with_numbers() -> None:
    assert wording.summary(measured([1.0, 0.0], images=10_000)) == (
        "On 10,000 test images that it never trained on, its reconstructions are recognisable, with fine detail "
        "smoothed away (mean SSIM 0.7000, mean PSNR 17.660 dB), and 1 of 2 latent dimensions is unused."
    )


@pytest.mark.parametrize(
    ("ssim", "words"), [(1.0, "almost the same"), (0.85, "close"), (0.3, "rough"), (0.29, "hardly"), (-0.2, "hardly")]
)
def test_verdicts_follow_their_bounds(ssim: float, words: str) -> None:
    assert wording.verdict(ssim).startswith(words)


def distances(space: str, *, synthetic: float, floor: float, images: int = 10_000, coverage: float = 0.87) -> Distances:
    """In a space of this name, by Fréchet distances."""
    sides = (Comparison(value, Interval(0.1, None, None), Manifold(1, 1, 1, coverage)) for value in (synthetic, floor))
    return Distances(
        FeatureSpace(space, "some network", "12ab" * 16, lambda images: images), images, *sides, "validation"
    )


def memorised(*, near: int = 2, exact: int = 0) -> Memorisation:
    side = Nearest(0.2, 0.1)
    return Memorisation(1000, 5000, side, side, closer=0.5, exact=exact, near=near, near_held_out=1, pairs=())


def test_distances_come_with_their_floor() -> None:
    comparison = Compared((distances("random", synthetic=1.23456, floor=0.1),), {})
    assert wording.distances(comparison) == (
        "10,000 new images: Fréchet distance 1.235 from test images in random features, where validation images have 0.1000, the "
        "floor; the new images cover 87.0% of the test images"
    )


def test_the_last_of_several_spaces_is_reported() -> None:
    both = [distances("random", synthetic=1.0, floor=0.5), distances("classifier", synthetic=7.0, floor=2.0)]
    assert "7.000 from test images in a classifier’s features" in wording.distances(Compared(tuple(both), {}))
    only_random = Compared((both[0],), {"classifier": "there is a reason"})
    assert "1.000 from test images in random features" in wording.distances(only_random)


def test_distances_are_called_fid_and_kid_in_inceptions_features_alone() -> None:
    all_distances = [
        distances(name, synthetic=12.0, floor=3.0) for name in ("random", "classifier", "own", "inception")
    ]
    *others, inception = [wording.distances(Compared((item,), {})) for item in all_distances]
    assert inception == (
        "10,000 new images: FID 12.00 and KID 0.1000 from test images in Inception’s features, where validation images have "
        "3.000 and 0.1000, the floor; the new images cover 87.0% of the test images"
    )
    assert not any(name in line for line in others for name in ("FID", "KID"))
    assert "Fréchet distance 12.00 from test images in your own model’s features" in others[-1]


def test_sets_that_were_not_compared_say_why() -> None:
    assert wording.distances("it was not asked for") == "not compared with test images: it was not asked for"
    nothing = Compared((), {"random": "all test images have the same features"})
    assert wording.distances(nothing) == "not compared with test images: all test images have the same features"


def test_usefulness_is_reported_as_accuracies() -> None:
    assert wording.usefulness(USEFUL) == (
        "a classifier trained on new images names 60.0% of the test images correctly, one trained on real images 90.0% "
        "(ratio 0.667), one trained on both 91.2%; beside all real images new images do not surely help: do not use them "
        "for this; in place of the real images they lose too much: do not use them for this either"
    )
    helpful = wording.usefulness(replace(USEFUL, synthetic=0.82, both=0.96))
    assert helpful.endswith("; beside all real images new images help")
    assert wording.usefulness("it was not asked for") == "not tried for training a classifier: it was not asked for"


def test_copies_are_reported_in_a_clause() -> None:
    assert wording.copies(memorised()) == "no sign of memorised images"
    assert wording.copies(memorised(exact=1)) == "no clear sign of memorised images"
    assert wording.copies(memorised(near=40, exact=3)).startswith(
        "40 of 1,000 new images are copies of training images"
    )
    assert wording.copies("it was not asked for") == "not looked for: it was not asked for"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            Outcome("metrics.mse", "at most 0.02", 0.0123456789, passed=True),
            "passed: metrics.mse expected at most 0.02, found 0.0123457",
        ),
        (
            Outcome("metrics.elbo", "at least 0", -42.5, passed=False),
            "failed: metrics.elbo expected at least 0, found −42.5",
        ),
        (
            Outcome("usefulness.ratio", "at least 0.9", None, passed=False, why="there are no labels"),
            "failed: usefulness.ratio expected at least 0.9, there are no labels",
        ),
    ],
)
def test_a_gate_says_what_was_expected_and_found(outcome: Outcome, words: str) -> None:
    assert wording.gate(outcome) == words


def test_a_judgement_has_a_line_for_each_part() -> None:
    everything = judged(
        sampler=BOX,
        samplers=(SamplerResult(BOX, None, 1.0, 1.0, 1.0),),
        compared=Compared((distances("random", synthetic=1.0, floor=0.5),), {}),
        usefulness=USEFUL,
        memorisation=memorised(),
    )
    lines = dict(wording.judgement(everything))
    assert list(lines) == ["blur", "new", "codes", "useful", "copies"]
    assert lines["codes"] == "from the box that the training images' codes span"
    assert lines["useful"] == wording.usefulness(USEFUL)


def test_the_blur_that_images_are_worth_is_that_of_the_least_kind_measure() -> None:
    assert wording.blur(quality_of(patches=(0.7, 0.65), spectrum=(2.5, None))) == (
        "new images are as far from test images as real ones blurred by more than 2 pixels, reconstructions by an unknown number "
        "of pixels (by spectra, the least kind of 2 measures)"
    )
    assert wording.blur("there are too few") == "not measured: there are too few"
    assert wording.blur(quality_of(patches=(None, None))) == (
        "not measured: no measure tells blurred real images from sharp ones"
    )


def test_an_empty_judgement_says_why() -> None:
    assert wording.judgement(judged()) == [
        ("new", "not compared with test images: it was not asked for"),
        ("codes", "from the normal distribution N(0, I); no better sampler was looked for: it was not asked for"),
        ("copies", "not looked for: it was not asked for"),
    ]


def test_every_sampler_that_a_recipe_may_name_has_words() -> None:
    named = EvaluateSection.model_json_schema()["properties"]["sampler"]["enum"]
    assert {"auto", *wording.SAMPLERS} == set(named)
    assert set(wording.SAMPLERS) == set(get_args(Kind))


def test_where_codes_lie_and_how_images_change_between_them() -> None:
    measurement = measured([1.0])
    assert wording.between_codes(measurement, None) == ""
    sentence = wording.between_codes(measurement, Smoothness(length=1.44, largest_step=2.0))
    assert sentence == (
        "On a straight line between two codes, images change 1.4 times as much as the two ends differ, and the largest of 32 "
        "steps is 2.0 times the mean one."
    )
    aggregate = AggregatePosterior(1)
    aggregate.add(np.array([[-1.0], [1.0]]), np.zeros((2, 1)))
    assert (
        wording.between_codes(replace(measurement, aggregate=aggregate), None)
        == "All codes together lie 0.1534 nats from N(0, I)."
    )


def test_a_distance_below_the_floor_is_explained_on_the_screen() -> None:
    lower, higher = (
        judged(compared=Compared((distances("random", synthetic=value, floor=0.5, images=600),), {}))
        for value in (0.4, 0.6)
    )
    assert "floor" not in dict(wording.judgement(higher))
    assert dict(wording.judgement(lower))["floor"] == (
        "a distance below the floor does not mean that new images are better than real ones: in these features they are as "
        "near to test images as validation images are, and both distances are estimates from 600 images"
    )


def test_a_sampler_that_was_not_chosen_comes_with_the_reason() -> None:
    too_few = judged(
        samplers=(SamplerResult(Normal(2), None, None, 1.0, 1.0),),
        why_not_chosen="it takes 100 validation images, and there are 12",
    )
    normal = "from the normal distribution N(0, I)"
    assert dict(wording.judgement(too_few))["codes"] == (
        f"{normal}; no better sampler was looked for: it takes 100 validation images, and there are 12"
    )
    assert dict(wording.judgement(too_few, sampler="normal"))["codes"] == normal  # the recipe names it


def test_a_flow_is_weighed_in_words() -> None:
    """With the speed on the screen alone: it is not the same everywhere."""
    results = tuple(
        SamplerResult(sampler, None, 1.0, 0.1, 1.0, speed) for sampler, speed in ((small_flow(), 410.4), (BOX, 1620.0))
    )
    judgement = judged(samplers=results, trade=Trade("excess", 0.05, 0.213, "uniform", 1.94))
    assert wording.flow(judgement) == (
        "its images are blurred beyond reconstructions by 0.05 pixels, those from uniform 0.21 pixels, for 1.9 times the "
        "multiplications"
    )
    assert wording.speeds(judgement) == "; 410 images/s here, uniform 1,620"
    dear = replace(judgement, trade=Trade("held_out", 1.0, 1.01, "uniform", 4.0))
    assert wording.flow(dear) == (
        "its images lie at a Fréchet distance of 1.000, those from uniform 1.010, for 4.0 times the multiplications, too "
        "many for what it gains"
    )
    assert wording.flow(judged()) == wording.speeds(judged()) == ""
    assert wording.flow(judged(why_no_flow="it has no codes")) == "not used: it has no codes"
