"""Numbers and verdicts in words: what a person reads first."""

from __future__ import annotations

import math

from components.evaluate.distances import Distances
from components.evaluate.measure import Measurement
from components.evaluate.moments import Estimate

# Lowest mean SSIM of each verdict; ours, and stated in the report.
VERDICTS = (
    (0.95, "almost the same as the originals"),
    (0.85, "close to the originals"),
    (0.65, "recognisable, with fine detail smoothed away"),
    (0.3, "rough, with the overall shape kept and most detail lost"),
    (-1.0, "hardly like the originals"),
)


def number(value: float, *, decimals: int) -> str:
    """A number as it is printed: with a true minus and a comma between thousands."""
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def counted(count: int, noun: str) -> str:
    """So many of something, in the singular or the plural."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def with_error(estimate: Estimate) -> tuple[str, str]:
    """A value and its standard error, both to the error's second digit; the error is "" where it is not known.

    A value has six digits at most: more are not written to ``metrics.json``.
    """
    error = estimate.standard_error
    if error is None:
        return number(estimate.value, decimals=_decimals(estimate.value, digits=4)), ""
    finest = _decimals(estimate.value, digits=6)
    if error == 0:
        return number(estimate.value, decimals=finest), "0"
    decimals = _decimals(error, digits=2)
    return number(estimate.value, decimals=min(decimals, finest)), number(error, decimals=decimals)


def _decimals(value: float, *, digits: int) -> int:
    """Places after the point, at most eight, that show so many digits of a value."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return min(8, max(0, digits - 1 - magnitude))


def verdict(ssim: float) -> str:
    """What reconstructions are like, by mean SSIM."""
    return next(words for lowest, words in VERDICTS if ssim >= lowest or lowest == VERDICTS[-1][0])


def verdicts() -> str:
    """How `verdict` chooses, in a line."""
    bounds = [f"from {lowest:g} “{words.split(',')[0]}”" for lowest, words in VERDICTS[:-1]]
    return f"by mean SSIM: {', '.join(bounds)}, below that “{VERDICTS[-1][1]}”"


def dimensions(measurement: Measurement) -> str:
    """How many latent dimensions are in use, as a clause."""
    dims = len(measurement.active)
    unused = dims - int(measurement.active.sum())
    if measurement.images < 2:
        return "a single test image cannot tell how many latent dimensions are in use"
    if unused == 0:
        return {1: "the only latent dimension is in use", 2: "both latent dimensions are in use"}.get(
            dims, f"all {dims:,} latent dimensions are in use"
        )
    noun, verb = "dimension" if dims == 1 else "dimensions", "is" if unused == 1 else "are"
    clause = f"{unused:,} of {dims:,} latent {noun} {verb} unused"
    return clause if unused < dims else f"{clause}, so it makes the same image from every code"


def distances(found: Distances | str) -> str:
    """How far new images are from test images, as a clause; or why nobody measured it."""
    if isinstance(found, str):
        return f"not compared with test images: {found}"
    synthetic, floor = (number(side.frechet, decimals=3) for side in (found.synthetic, found.floor))
    coverage = number(100 * found.synthetic.manifold.coverage, decimals=0)
    return (
        f"{counted(found.images, 'new image')}: Fréchet distance {synthetic} from test images in random features, where "
        f"training images have {floor}; they cover {coverage}% of the test images"
    )


def summary(measurement: Measurement) -> str:
    """How good the model is, in one sentence."""
    ssim, psnr = (measurement.estimates[name].value for name in ("ssim", "psnr"))
    numbers = f"mean SSIM {number(ssim, decimals=2)}, mean PSNR {number(psnr, decimals=1)} dB"
    subject = "its reconstruction is" if measurement.images == 1 else "its reconstructions are"
    return (
        f"On {counted(measurement.images, 'test image')} that it never trained on, {subject} {verdict(ssim)} "
        f"({numbers}), and {dimensions(measurement)}."
    )
