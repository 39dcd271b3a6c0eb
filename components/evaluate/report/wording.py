"""Numbers and verdicts in words: what a person reads first."""

from __future__ import annotations

import math

from components.evaluate.reconstruction.latent import STEPS, Smoothness
from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.report.gates import Outcome
from components.evaluate.samples.distances import Compared
from components.evaluate.samples.judge import Judgement
from components.evaluate.samples.privacy import Memorisation
from components.evaluate.samples.usefulness import Usefulness
from components.reporting.console import counted
from components.reporting.numbers import fixed, general

# Lowest mean SSIM of each verdict; ours, and stated in the report.
VERDICTS = (
    (0.95, "almost the same as the originals"),
    (0.85, "close to the originals"),
    (0.65, "recognisable, with fine detail smoothed away"),
    (0.3, "rough, with the overall shape kept and most detail lost"),
    (-1.0, "hardly like the originals"),
)


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
    if measurement.active_dims_unknown:
        return measurement.active_dims_unknown
    if unused == 0:
        return {1: "the only latent dimension is in use", 2: "both latent dimensions are in use"}.get(
            dims, f"all {dims:,} latent dimensions are in use"
        )
    noun, verb = "dimension" if dims == 1 else "dimensions", "is" if unused == 1 else "are"
    clause = f"{unused:,} of {dims:,} latent {noun} {verb} unused"
    return clause if unused < dims else f"{clause}, so it makes the same image from every code"


def ways(measurement: Measurement, smoothness: Smoothness | None) -> str:
    """Where codes lie, and how images change between them, in sentences; "" where neither is known."""
    sentences = []
    if measurement.aggregate and math.isfinite(gap := measurement.aggregate.gap):
        sentences.append(f"All codes together lie {fixed(gap, decimals=1)} nats from N(0, I).")
    if smoothness:
        length, step = (fixed(value, decimals=1) for value in (smoothness.length, smoothness.largest_step))
        sentences.append(
            f"On a straight line between two codes, images change {length} times as much as the two ends differ, and the "
            f"largest of {STEPS} steps is {step} times the mean one."
        )
    return " ".join(sentences)


SPACES = {
    "random": "in random features",
    "classifier": "in a classifier’s features",
    "own": "in your own model’s features",
    "inception": "in Inception’s features",
}
CALLED = {"inception": ("FID", "KID")}  # what Fréchet and kernel distance may be called, in no other features
SAMPLERS = {
    "normal": "the normal distribution N(0, I)",
    "prior": "the mixture that the model learned as its prior",
    "uniform": "the box that the training images' codes span",
    "mixture": "a Gaussian mixture fitted to the training images' codes",
    "posterior": "the posteriors of training images",
}


def judgement(found: Judgement) -> list[tuple[str, str]]:
    """What is known of new images, as lines for a terminal, each with a word before it."""
    lines = [("new", distances(found.compared))]
    if not isinstance(found.samplers, str):
        lines.append(("codes", f"from {SAMPLERS[found.sampler.kind]}"))
    if not isinstance(found.usefulness, str):
        lines.append(("useful", usefulness(found.usefulness)))
    lines.append(("copies", copies(found.memorisation)))
    return lines


def distances(found: Compared | str) -> str:
    """How far new images are from test images, as a clause; or why nobody measured it."""
    if isinstance(found, str):
        return f"not compared with test images: {found}"
    if not found.distances:
        return f"not compared with test images: {next(iter(found.left_out.values()))}"
    best = found.distances[-1]
    names = CALLED.get(best.space.name, ("Fréchet distance",))
    synthetic, floor = (
        [fixed(side.frechet, decimals=3), fixed(side.kernel.value, decimals=5)][: len(names)]
        for side in (best.synthetic, best.floor)
    )
    told = " and ".join(f"{name} {value}" for name, value in zip(names, synthetic, strict=True))
    coverage = fixed(100 * best.synthetic.manifold.coverage, decimals=0)
    space = SPACES.get(best.space.name, f"in the features “{best.space.name}”")
    return (
        f"{counted(best.images, 'new image')}: {told} from test images {space}, where training images "
        f"have {' and '.join(floor)}; they cover {coverage}% of the test images"
    )


def usefulness(found: Usefulness | str) -> str:
    """What new images teach a classifier, as a clause; or why nobody measured it."""
    if isinstance(found, str):
        return f"not tried for training a classifier: {found}"
    shares = (fixed(100 * share, decimals=1) for share in (found.synthetic, found.real, found.both))
    synthetic, real, both = (f"{share}%" for share in shares)
    return (
        f"a classifier trained on new images names {synthetic} of the test images rightly, one trained on real images {real} "
        f"(ratio {fixed(found.ratio, decimals=3)}), one trained on both {both}"
    )


def copies(found: Memorisation | str) -> str:
    """Whether new images are copies of training images; or why nobody looked."""
    if isinstance(found, str):
        return f"not looked for: {found}"
    return found.verdict.partition(". ")[0] if found.flagged else found.verdict.partition(": ")[0]


def gate(outcome: Outcome) -> str:
    """Of one gate, as a clause."""
    found = outcome.why if outcome.found is None else f"found {general(outcome.found)}"
    return f"{'passed' if outcome.passed else 'failed'}: {outcome.gate} expected {outcome.expected}, {found}"


def summary(measurement: Measurement) -> str:
    """How good the model is, in one sentence."""
    ssim, psnr = (measurement.estimates[name].value for name in ("ssim", "psnr"))
    numbers = f"mean SSIM {fixed(ssim, decimals=2)}, mean PSNR {fixed(psnr, decimals=1)} dB"
    subject = "its reconstruction is" if measurement.images == 1 else "its reconstructions are"
    return (
        f"On {counted(measurement.images, 'test image')} that it never trained on, {subject} {verdict(ssim)} "
        f"({numbers}), and {dimensions(measurement)}."
    )
