"""Results in words, for the console and the report."""

from __future__ import annotations

import math

from components.evaluate.reconstruction.latent import STEPS, Smoothness
from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.reconstruction.moments import Estimate
from components.evaluate.report import low_data
from components.evaluate.report.gates import Outcome
from components.evaluate.samples.degradations import BLUR
from components.evaluate.samples.distances import Compared, Comparison, Distances
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.privacy import Memorisation
from components.evaluate.samples.quality import Quality
from components.evaluate.samples.usefulness import Usefulness
from components.reporting.console import counted
from components.reporting.numbers import as_distance, as_loss, as_percent, fixed, general, with_error, with_interval

# Lowest mean SSIM of each verdict. The bounds are this project's, and the report states them.
VERDICTS = (
    (0.95, "almost the same as the originals"),
    (0.85, "close to the originals"),
    (0.65, "recognisable, with fine detail smoothed away"),
    (0.3, "rough, with the overall shape kept and most detail lost"),
    (-1.0, "hardly like the originals"),
)


def verdict(ssim: float) -> str:
    """Describe reconstructions by their mean SSIM."""
    return next(words for lowest, words in VERDICTS if ssim >= lowest or lowest == VERDICTS[-1][0])


def verdicts() -> str:
    """Say in a line how `verdict` chooses its words."""
    bounds = [f"from {lowest:g} “{words.split(',')[0]}”" for lowest, words in VERDICTS[:-1]]
    return f"by mean SSIM: {', '.join(bounds)}, below that “{VERDICTS[-1][1]}”"


def dimensions(measurement: Measurement) -> str:
    """Say how many latent dimensions are in use, as a clause."""
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


def between_codes(measurement: Measurement, smoothness: Smoothness | None) -> str:
    """Say where codes lie, and how images change between them, in sentences; "" where neither is known."""
    sentences = []
    if measurement.aggregate and math.isfinite(gap := measurement.aggregate.gap):
        kl = measurement.estimates.get("kl")
        sentences.append(
            f"All codes together lie {as_loss(gap, of=None if kl is None else kl.value)} nats from N(0, I)."
        )
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
MEASURES = {
    "patches": "patches of detail",
    "spectrum": "spectra",
    "random": "random features",
    "classifier": "a classifier’s features",
    "own": "your own model’s features",
    "inception": "Inception’s features",
}
MOSTLY = 0.75  # share of a loss
DISTANCE_NAMES = {"inception": ("FID", "KID")}  # of Fréchet and kernel distance; in no other features
SAMPLERS = {
    "normal": "the normal distribution N(0, I)",
    "prior": "the mixture that the model learned as its prior",
    "uniform": "the box that the training images' codes span",
    "mixture": "a Gaussian mixture fitted to the training images' codes",
    "flow": "a flow fitted to the training images' codes",
    "posterior": "the posteriors of training images",
}


def judgement(judged: Judgement, *, sampler: str = "auto") -> list[tuple[str, str]]:
    """Return the results about new images as lines for a terminal, each with a heading word.

    Args:
        judged: The results.
        sampler: The recipe's `evaluate.sampler`.
    """
    lines = [] if isinstance(judged.compared, str) else [("blur", blur(judged.quality))]
    lines.append(("new", distances(judged.compared)))
    if not isinstance(judged.compared, str) and judged.compared.distances:
        best = judged.compared.distances[-1]
        lines += [("floor", below_floor(best))] if is_below_floor(best) else []
    lines.append(("codes", codes(judged, sampler=sampler)))
    if flow_clause := flow(judged):
        lines.append(("flow", f"{flow_clause}{speeds(judged)}"))
    if not isinstance(judged.usefulness, str):
        lines.append(("useful", usefulness(judged.usefulness)))
    if judged.low_data is not None:
        lines.append(("few", low_data.clause(judged.low_data)))
    lines.append(("copies", copies(judged.memorisation)))
    return lines


def blur(quality: Quality | str) -> str:
    """Say how much blur new images are worth, beside reconstructions, as a clause; or why that cannot be told."""
    if isinstance(quality, str):
        return f"not measured: {quality}"
    worst = quality.worst
    if worst is None:
        return "not measured: no measure tells blurred real images from sharp ones"
    return (
        f"new images are as far from test images as real ones blurred by {pixels(worst.new.blur)}, reconstructions by "
        f"{pixels(worst.reconstructed.blur)} (by {MEASURES.get(worst.name, worst.name)}, the least kind of "
        f"{counted(len(quality.measures), 'measure')})"
    )


def lost_where(quality: Quality) -> str:
    """Say whether the decoder or the sampler loses what new images lack, as a sentence; "" where that is unknown."""
    share = quality.lost_by_decoder
    if share is None:
        return ""
    if share >= MOSTLY:
        return "So the decoder loses nearly all of it: reconstructions are as blurred as new images."
    if share <= 1 - MOSTLY:
        return "So nearly all of it is lost by where codes come from: reconstructions are much sharper."
    return "So the decoder loses some of it, and where codes come from loses the rest."


def pixels(blur: float | None) -> str:
    """Return a blur in pixels, the deviation of a Gaussian."""
    if blur is None:
        return "an unknown number of pixels"
    last = BLUR.steps[-1]
    return f"more than {last:g} pixels" if blur > last else f"{fixed(blur, decimals=2)} pixels"


def codes(judged: Judgement, *, sampler: str) -> str:
    """Say where the codes of new images come from, as a clause; and why, where none could be chosen.

    Args:
        judged: The results.
        sampler: The recipe's `evaluate.sampler`: auto, or the one to take.
    """
    clause = f"from {SAMPLERS[judged.sampler.kind]}"
    why = why_not_chosen(judged, sampler=sampler)
    return f"{clause}; no better sampler was looked for: {why}" if why else clause


def flow(judged: Judgement) -> str:
    """Say what a flow gains and costs beside the best other sampler, or why it is not used, as a clause; "" without one."""
    trade, clauses = judged.trade, []
    if trade:
        own, other = (
            (pixels(max(value, 0.0)) if trade.lost == "excess" else as_distance(value))
            for value in (trade.flow, trade.other)
        )
        what = "are blurred beyond reconstructions by" if trade.lost == "excess" else "lie at a Fréchet distance of"
        times = f"{fixed(trade.work, decimals=1)} times the multiplications"
        worth = "" if trade.pays else ", too many for what it gains"
        clauses.append(f"its images {what} {own}, those from {trade.kind} {other}, for {times}{worth}")
    if judged.why_no_flow:
        clauses.append(f"not used: {judged.why_no_flow}")
    return "; ".join(clauses)


def speeds(judged: Judgement) -> str:
    """Say how many images a second a flow and the best other sampler made, as a clause; "" where that was not measured."""
    if judged.trade is None or isinstance(judged.samplers, str):
        return ""
    rates = {result.sampler.kind: result.speed for result in judged.samplers}
    own, other = rates.get("flow"), rates.get(judged.trade.kind)
    return "" if own is None or other is None else f"; {own:,.0f} images/s here, {judged.trade.kind} {other:,.0f}"


def why_not_chosen(judged: Judgement, *, sampler: str) -> str | None:
    """Return why the sampler of codes was not chosen by distances, as a clause; None: it was, or the recipe names it."""
    if sampler != "auto":
        return None
    return judged.samplers if isinstance(judged.samplers, str) else judged.why_not_chosen


def distances(compared: Compared | str) -> str:
    """Say how far new images are from test images, as a clause; or why it was not measured."""
    if isinstance(compared, str):
        return f"not compared with test images: {compared}"
    if not compared.distances:
        return f"not compared with test images: {next(iter(compared.left_out.values()))}"
    best = compared.distances[-1]
    names = DISTANCE_NAMES.get(best.space.name, ("Fréchet distance",))
    synthetic, floor = (
        [as_distance(side.frechet), kernel(side)[0]][: len(names)] for side in (best.synthetic, best.floor)
    )
    values = " and ".join(f"{name} {value}" for name, value in zip(names, synthetic, strict=True))
    coverage = as_percent(best.synthetic.manifold.coverage)
    space = SPACES.get(best.space.name, f"in the features “{best.space.name}”")
    return (
        f"{counted(best.images, 'new image')}: {values} from test images {space}, where {best.others} have "
        f"{' and '.join(floor)}, the floor; the new images cover {coverage} of the test images"
    )


def kernel(side: Comparison) -> tuple[str, str]:
    """Return a kernel distance and its 95% interval, "" where that is unknown."""
    return with_interval(side.kernel.value, side.kernel.low, side.kernel.high)


def is_below_floor(measured: Distances) -> bool:
    """Return whether new images are nearer to the test images than other real images are."""
    return measured.synthetic.frechet < measured.floor.frechet


def below_floor(measured: Distances) -> str:
    """Explain a distance below the floor, as a clause."""
    return (
        "a distance below the floor does not mean that new images are better than real ones: in these features they are as "
        f"near to test images as {measured.others} are, and both distances are estimates from {counted(measured.images, 'image')}"
    )


def usefulness(useful: Usefulness | str) -> str:
    """Say how well new images train a classifier, as a clause; or why it was not measured."""
    if isinstance(useful, str):
        return f"not tried for training a classifier: {useful}"
    synthetic, real, both = map(as_percent, (useful.synthetic, useful.real, useful.both))
    beside = "new images help" if useful.helpful else f"new images do not surely help: {low_data.DO_NOT}"
    instead = "" if useful.stands_in else f"; in place of the real images they lose too much: {low_data.DO_NOT} either"
    return (
        f"a classifier trained on new images names {synthetic} of the test images correctly, one trained on real images {real} "
        f"(ratio {fixed(useful.ratio, decimals=3)}), one trained on both {both}; beside all real images {beside}{instead}"
    )


def copies(memorisation: Memorisation | str) -> str:
    """Say whether new images are copies of training images; or why that was not measured."""
    if isinstance(memorisation, str):
        return f"not looked for: {memorisation}"
    clause = memorisation.verdict.partition(". " if memorisation.flagged else ": ")[0]
    return f"{clause[0].lower()}{clause[1:]}"


def gate(outcome: Outcome) -> str:
    """Describe the outcome of a gate, as a clause."""
    result = outcome.why if outcome.found is None else f"found {general(outcome.found)}"
    return f"{'passed' if outcome.passed else 'failed'}: {outcome.gate} expected {outcome.expected}, {result}"


def summary(measurement: Measurement) -> str:
    """Say how good the model is, in one sentence."""
    ssim, psnr = (measurement.estimates[name] for name in ("ssim", "psnr"))
    numbers = f"mean SSIM {mean(ssim)}, mean PSNR {mean(psnr)} dB"
    subject = "its reconstruction is" if measurement.images == 1 else "its reconstructions are"
    return (
        f"On {counted(measurement.images, 'test image')} that it never trained on, {subject} {verdict(ssim.value)} "
        f"({numbers}), and {dimensions(measurement)}."
    )


def mean(estimate: Estimate) -> str:
    """Return a mean without its standard error, to whose second digit it is rounded."""
    return with_error(estimate.value, estimate.standard_error)[0]


def sentence(clause: str) -> str:
    """Return a clause as a sentence."""
    return f"{clause[0].upper()}{clause[1:]}."
