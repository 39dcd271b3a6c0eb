"""The five lines: each has the number that decides, and what to compare it with."""

import pytest
from helpers.judgements import judged, measured, quality_of

from components.evaluate.report.gates import Outcome
from components.evaluate.report.verdict import gate_outcomes, in_features, latent_space, memorisation, quality, verdict
from components.evaluate.samples.distances import Compared, Comparison, Distances
from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.kid import Interval
from components.evaluate.samples.neighbours import Manifold
from components.evaluate.samples.privacy import LIMITS, Memorisation, Nearest


def compared(frechet: float, floor: float, *, space: str = "classifier") -> Compared:
    def side(value: float, coverage: float) -> Comparison:
        return Comparison(value, Interval(0.1, None, None), Manifold(0.5, 0.5, 1.0, coverage))

    feature_space = FeatureSpace(space, "a network", "12ab" * 16, lambda images: images)
    return Compared((Distances(feature_space, 500, side(frechet, 0.789), side(floor, 0.97), "validation"),), {})


def memorised(*, near: int) -> Memorisation:
    side = Nearest(0.2, 0.1)
    return Memorisation(1000, 5000, side, side, closer=0.5, exact=0, near=near, near_held_out=1, pairs=())


def gate(name: str, *, passed: bool) -> Outcome:
    return Outcome(name, "at least 0", 0.5 if passed else -0.5, passed=passed)


def test_there_are_five_lines_and_the_last_is_what_to_try() -> None:
    lines = verdict(measured([1.0, 1.0]), judged(), [], advice="Try something.")
    assert [label for label, _ in lines] == [
        "Quality", "Use of the latent space", "Memorisation", "Gates", "What to try next",
    ]  # fmt: skip
    assert lines[-1][1] == "Try something."
    assert all(not sentence[0].islower() and sentence.endswith(".") for _, sentence in lines)


def test_quality_comes_with_its_floor() -> None:
    assert in_features(compared(2.5, 0.5)) == (
        "New images lie at a Fréchet distance of 2.500 from test images, 5.0 times the floor of 0.5000 that validation images "
        "set (in a classifier’s features); they cover 78.9% of the test images, where validation images cover 97.0%."
    )
    below = in_features(compared(0.45, 0.5))
    assert "0.9 times the floor of 0.5000" in below
    assert below.endswith(
        "A distance below the floor does not mean that new images are better than real ones: in these features they are as "
        "near to test images as validation images are, and both distances are estimates from 500 images."
    )
    assert "39 times the floor" in in_features(compared(19.5, 0.5))
    assert "lie at a FID of" in in_features(compared(19.5, 0.5, space="inception"))
    assert "above the floor of 0.000" in in_features(compared(1.0, 0.0))


@pytest.mark.parametrize("comparison", ["it was not asked for", Compared((), {"random": "it was not asked for"})])
def test_quality_that_was_not_measured_says_why(comparison: Compared | str) -> None:
    assert quality(judged(compared=comparison)) == "Not compared with test images: it was not asked for."


@pytest.mark.parametrize(
    ("reconstructed", "where"),
    [
        (0.68, "So the decoder loses nearly all of it: reconstructions are as blurred as new images."),
        (0.4, "So the decoder loses some of it, and where codes come from loses the rest."),
        (0.1, "So nearly all of it is lost by where codes come from: reconstructions are much sharper."),
    ],
)
def test_quality_is_the_blur_by_the_least_kind_measure_and_who_loses_it(reconstructed: float, where: str) -> None:
    worth = quality_of(patches=(0.7, reconstructed), random=(0.6, 0.6))
    assert quality(judged(quality=worth, compared=compared(2.5, 0.5))) == (
        f"New images are as far from test images as real ones blurred by 0.70 pixels, reconstructions by {reconstructed:.2f} "
        f"pixels (by patches of detail, the least kind of 2 measures). {where} They cover 78.9% of the test images in a "
        "classifier’s features, where validation images cover 97.0%."
    )


def test_where_no_measure_can_tell_quality_is_the_distance_in_features() -> None:
    worth = quality_of(patches=(None, None))
    assert quality(judged(quality=worth, compared=compared(2.5, 0.5))) == in_features(compared(2.5, 0.5))


def test_next_to_no_blur_is_lost_by_nobody() -> None:
    sentence = quality(judged(quality=quality_of(patches=(0.05, 0.0)), compared=compared(2.5, 0.5)))
    assert "blurred by 0.05 pixels" in sentence
    assert "So " not in sentence


@pytest.mark.parametrize(
    ("variances", "sentence"),
    [
        ([1.0, 0.5], "2 of 2 latent dimensions are in use: what counts is a variance above 0.01 over the test images."),
        ([1.0, 0.001, 0.0], "1 of 3 latent dimensions is in use: what counts is"),
        ([0.001, 0.001], "2 of 2 latent dimensions are unused, so it makes the same image from every code."),
        ([1.0], "1 of 1 latent dimension is in use"),
    ],
)
def test_how_many_latent_dimensions_are_in_use(variances: list[float], sentence: str) -> None:
    assert latent_space(measured(variances)).startswith(sentence)


def test_a_single_image_does_not_show_how_many_are_in_use() -> None:
    assert (
        latent_space(measured([1.0], images=1))
        == "A single test image cannot tell how many latent dimensions are in use."
    )


@pytest.mark.parametrize("near", [1, 50])
def test_memorisation_is_the_verdict_without_its_limits(near: int) -> None:
    memorised_part = memorised(near=near)
    sentence = memorisation(judged(memorisation=memorised_part))
    assert f"{near} of 1,000 new images are copies" in sentence and "1 of 1,000 held-out images" in sentence
    assert f"{sentence} {LIMITS}" == memorised_part.verdict
    assert ("gives training images away" in sentence) == (near == 50)
    assert memorisation(judged()) == "Not looked for: it was not asked for."


def test_gates() -> None:
    assert gate_outcomes([]) == "None demanded: evaluate.gates is empty."
    assert gate_outcomes([gate("metrics.a", passed=True)]) == "Its only gate passed."
    assert gate_outcomes([gate("metrics.a", passed=True)] * 3) == "All 3 passed."
    failed = [gate("metrics.a", passed=True), gate("metrics.b", passed=False), gate("metrics.c", passed=False)]
    assert gate_outcomes(failed[:2]) == "1 of 2 failed: metrics.b expected at least 0, found −0.5."
    assert gate_outcomes(failed).startswith("2 of 3 failed: metrics.b expected")
