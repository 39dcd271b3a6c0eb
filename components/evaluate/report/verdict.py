"""The report's first five lines, for a person who reads no further."""

from __future__ import annotations

from collections.abc import Sequence

from components.evaluate.reconstruction.measure import ACTIVE, Measurement
from components.evaluate.report import wording
from components.evaluate.report.gates import Outcome
from components.evaluate.samples.distances import Compared
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.privacy import LIMITS
from components.reporting.console import counted
from components.reporting.numbers import as_distance, as_percent, fixed

Line = tuple[str, str]  # its label and a sentence


def verdict(
    measurement: Measurement, judgement: Judgement, gates: Sequence[Outcome], *, advice: str, sampler: str = "auto"
) -> list[Line]:
    """Return the five lines, each with the number that decides and its floor; `sampler` is the recipe's `evaluate.sampler`."""
    return [
        ("Quality", " ".join([quality(judgement), *_sampler(judgement, sampler)])),
        ("Use of the latent space", latent_space(measurement)),
        ("Memorisation", memorisation(judgement)),
        ("Gates", gate_outcomes(gates)),
        ("What to try next", advice),
    ]


def quality(judgement: Judgement) -> str:
    """Say how much blur new images are worth and who loses it; without that, how far they are from real ones in features."""
    judged = judgement.quality
    if isinstance(judged, str) or judged.worst is None:
        return in_features(judgement.compared)
    sentences = [wording.sentence(wording.blur(judged)), wording.lost_where(judged), _coverage(judgement.compared)]
    return " ".join(filter(None, sentences))


def _coverage(compared: Compared | str) -> str:
    if isinstance(compared, str) or not compared.distances:
        return ""
    best = compared.distances[-1]
    coverage, floor_coverage = (as_percent(side.manifold.coverage) for side in (best.synthetic, best.floor))
    space = wording.SPACES.get(best.space.name, best.space.name)
    return f"They cover {coverage} of the test images {space}, where {best.others} cover {floor_coverage}."


def in_features(compared: Compared | str) -> str:
    """Say how far new images are from real ones, in the features that know the images best."""
    if isinstance(compared, str) or not compared.distances:
        return wording.sentence(wording.distances(compared))
    best = compared.distances[-1]
    name = wording.DISTANCE_NAMES.get(best.space.name, ("Fréchet distance",))[0]
    new, floor = best.synthetic, best.floor
    value, floor_value = (as_distance(side.frechet) for side in (new, floor))
    times = f", {_times(new.frechet / floor.frechet)} the floor" if floor.frechet > 0 else ", above the floor"
    coverage, floor_coverage = (as_percent(side.manifold.coverage) for side in (new, floor))
    below = f" {wording.sentence(wording.below_floor(best))}" if wording.is_below_floor(best) else ""
    return (
        f"New images lie at a {name} of {value} from test images{times} of {floor_value} that {best.others} set "
        f"({wording.SPACES.get(best.space.name, best.space.name)}); they cover {coverage} of the test images, where "
        f"{best.others} cover {floor_coverage}.{below}"
    )


def _sampler(judgement: Judgement, sampler: str) -> list[str]:
    """Say where codes come from if their sampler was not chosen, although new images were compared."""
    if not judgement.why_not_chosen or not wording.why_not_chosen(judgement, sampler=sampler):
        return []
    return [f"Codes come {wording.codes(judgement, sampler=sampler)}."]


def latent_space(measurement: Measurement) -> str:
    """Say how many latent dimensions are in use."""
    dims, active = len(measurement.active), int(measurement.active.sum())
    if measurement.active_dims_unknown:
        return wording.sentence(measurement.active_dims_unknown)
    if active == 0:
        return wording.sentence(wording.dimensions(measurement))
    subject = f"{active:,} of {counted(dims, 'latent dimension')} {'is' if active == 1 else 'are'} in use"
    return f"{subject}: what counts is a variance above {ACTIVE} over the test images."


def memorisation(judgement: Judgement) -> str:
    """Say whether new images are copies of training images, compared with images that the model never saw."""
    memorised = judgement.memorisation
    if isinstance(memorised, str):
        return wording.sentence(wording.copies(memorised))
    return memorised.verdict.removesuffix(LIMITS).rstrip()


def gate_outcomes(gates: Sequence[Outcome]) -> str:
    """Say whether the model fulfils what the recipe demands."""
    if not gates:
        return "None demanded: evaluate.gates is empty."
    failed = [outcome for outcome in gates if not outcome.passed]
    if not failed:
        return "Its only gate passed." if len(gates) == 1 else f"All {len(gates):,} passed."
    first_failed = wording.gate(failed[0]).removeprefix("failed: ")
    return f"{len(failed):,} of {len(gates):,} failed: {first_failed}{' …' if len(failed) > 1 else '.'}"


def _times(ratio: float) -> str:
    return f"{fixed(ratio, decimals=1 if ratio < 10 else 0)} times"
