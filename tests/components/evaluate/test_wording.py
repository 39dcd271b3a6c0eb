"""Numbers and verdicts in words."""

import numpy as np
import pytest

from components.evaluate import wording
from components.evaluate.measure import Measurement
from components.evaluate.moments import Estimate


def measurement(variances: list[float], *, ssim: float = 0.7, images: int = 10_000) -> Measurement:
    nothing = np.zeros((0, 4, 4, 1), np.float32)
    return Measurement(
        images=images,
        estimates={"ssim": Estimate(ssim, 0.001), "psnr": Estimate(17.66, 0.02)},
        mean_variance=np.array(variances),
        codes=np.zeros((0, len(variances)), np.float32),
        code_labels=np.zeros(0, np.int64),
        originals=nothing,
        reconstructions=nothing,
        labels=np.zeros(0, np.int64),
    )


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (-247.9134, 0.8231, ("−247.91", "0.82")),
        (0.017123, 0.000123, ("0.01712", "0.00012")),
        (-25370.3633, 0.0052, ("−25,370.4", "0.0052")),
        (-340496.2, 151.0, ("−340,496", "151")),
        (100.0, 0.0, ("100.000", "0")),
        (6.4401, None, ("6.440", "")),
        (0.0, None, ("0.000", "")),
        (-1e-12, 1e-13, ("0.00000000", "0.00000000")),
    ],
)
def test_numbers_end_at_the_second_digit_of_their_error(
    value: float, error: float | None, expected: tuple[str, str]
) -> None:
    assert wording.with_error(Estimate(value, error)) == expected


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
    assert wording.dimensions(measurement(variances)) == expected


def test_one_image_tells_nothing_about_dimensions() -> None:
    assert "a single test image cannot tell" in wording.summary(measurement([0.0, 0.0], images=1))


def test_summary_backs_its_words_with_numbers() -> None:
    assert wording.summary(measurement([1.0, 0.0])) == (
        "On 10,000 test images that it never trained on, its reconstructions are recognisable, with fine detail "
        "smoothed away (mean SSIM 0.70, mean PSNR 17.7 dB), and 1 of 2 latent dimensions is unused."
    )


@pytest.mark.parametrize(
    ("ssim", "words"), [(1.0, "almost the same"), (0.85, "close"), (0.3, "rough"), (0.29, "hardly"), (-0.2, "hardly")]
)
def test_verdicts_follow_their_bounds(ssim: float, words: str) -> None:
    assert wording.verdict(ssim).startswith(words)
