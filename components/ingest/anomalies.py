"""Checks for anomalies of the images that a user should know before training; none stops a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from components.ingest import misleading
from components.ingest.facts import SMALLER_SHARE, Facts, SplitFacts
from components.ingest.misleading import listed
from components.reporting.console import counted

FEW_IMAGES = 1000  # training images; the published systems have 2,000 and more
FEW_IN_SPLIT = 20  # images; with fewer, a mean's standard error is above a fifth of the deviation between images
FEW_IN_CLASS = 10  # training images; fewer are noise among the others
IMBALANCE = 20  # times the smallest class: a class of 5% of the largest hardly counts in the loss
COPIES_SHARE = 0.05  # of the images; a set that is so much smaller than it looks is worth knowing
REJECTED_SHARE = 0.01  # of the files; one in a hundred is rarely an accident
FLAT_DEVIATION = 0.02  # 5 of 255 levels: about what an eye sees as one brightness
GREY_SHARE = 0.99  # of the images; a few coloured ones may be there by mistake
SHIFT = 0.05  # on the scale from 0 to 1: 13 of 255 levels, a difference that an eye sees side by side
SHIFT_ERRORS = 4  # standard errors; a smaller difference is chance in a small split
CROWD_SHARE = 0.05  # of the images in one group of near-duplicates
CROWD = 20  # images of that group, at least: no real set has that many copies of one image


class Kind(StrEnum):
    """The closed list of anomalies, in the order in which they are reported."""

    IDENTICAL = "identical"
    FLAT = "flat"
    FEW_IMAGES = "few_images"
    FEW_IN_SPLIT = "few_in_split"
    FEW_IN_CLASS = "few_in_class"
    IMBALANCE = "imbalance"
    UNTRAINED_CLASS = "untrained_class"
    VANISHED_CLASS = "vanished_class"
    TWO_LABELS = "two_labels"
    UNLABELLED = "unlabelled"
    UNUSED = "unused"
    OWN_SPLITS = "own_splits"
    SMALLER = "smaller"
    GREY = "grey"
    SHIFT = "shift"
    COPIES = "copies"
    CROWD = "crowd"
    REJECTED = "rejected"
    PROFILES = "profiles"
    ANIMATED = "animated"
    MODERN = "modern"
    LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Anomaly:
    """An anomaly, and the sentence that reports it."""

    kind: Kind
    text: str


def anomalies(facts: Facts) -> list[Anomaly]:
    """Return the anomalies of the images, in the order of `Kind`."""
    if not facts.images:
        return []
    return [Anomaly(kind, text) for kind, check in _CHECKS.items() for text in check(facts)]


def _identical(facts: Facts) -> Iterator[str]:
    if facts.distinct == 1 and facts.images + facts.dropped > 1:
        yield "All images are identical: there is nothing to learn but one image."


def _flat(facts: Facts) -> Iterator[str]:
    train = facts.splits["train"]
    if max(train.deviation) >= FLAT_DEVIATION:
        return
    brightness = _brightness(train)
    look = (
        "black" if brightness < FLAT_DEVIATION else "white" if brightness > 1 - FLAT_DEVIATION else "of one brightness"
    )
    yield (
        f"The images are all but {look}: their pixels deviate by {max(train.deviation):.3f} from a mean of "
        f"{brightness:.3f}, on a scale from 0 to 1."
    )


def _few_images(facts: Facts) -> Iterator[str]:
    count = facts.splits["train"].images
    if count < FEW_IMAGES:
        yield f"There {_counted_with_verb(count, 'training image')}: expect little variety in new ones; some thousand teach more."


def _few_in_split(facts: Facts) -> Iterator[str]:
    effects = {
        "validation": "its loss will be noisy; preprocess.validation can be raised",
        "test": "what is measured on it will be uncertain",
    }
    for name, effect in effects.items():
        count = facts.splits[name].images
        if count < FEW_IN_SPLIT:
            yield f"The {name} split has {counted(count, 'image')}: {effect}."


def _few_in_class(facts: Facts) -> Iterator[str]:
    few_images = {label: count for label, count in _trained(facts).items() if count < FEW_IN_CLASS}
    if len(few_images) == 1:
        [(label, count)] = few_images.items()
        yield f"The class `{label}` has {counted(count, 'training image')}: too few to learn from."
    elif few_images:
        named = listed([f"`{label}` ({count})" for label, count in few_images.items()])
        yield f"{len(few_images):,} classes have fewer than {FEW_IN_CLASS} training images, too few to learn from: {named}."


def _imbalance(facts: Facts) -> Iterator[str]:
    # Classes with too few images are already reported.
    counts = {label: count for label, count in _trained(facts).items() if count >= FEW_IN_CLASS}
    if not counts:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= IMBALANCE * counts[least]:
        yield (
            f"The class `{most}` has {counts[most] // counts[least]:,} times as many training images as `{least}` "
            f"({counts[most]:,} and {counts[least]:,}): new images will rarely look like the latter."
        )


def _untrained_class(facts: Facts) -> Iterator[str]:
    trained = _trained(facts)
    places: dict[str, list[str]] = {}
    for name, split in facts.splits.items():
        for label, count in split.images_per_label.items():
            if count and label not in trained:
                places.setdefault(label, []).append(name)
    if len(places) == 1:
        [(label, names)] = places.items()
        splits = f"{' and '.join(names)} {'split' if len(names) == 1 else 'splits'}"
        yield f"The label `{label}` is only in the {splits}: no training image has it."
    elif places:
        named = listed([f"`{label}` ({' and '.join(names)})" for label, names in places.items()])
        yield f"{len(places):,} labels have no training image: {named}."
    lost = [
        label for label, count in facts.splits["train"].images_per_label.items() if not count and label not in places
    ]
    if lost:
        named = listed([f"`{label}`" for label in lost])
        yield f"No image of {'the class' if len(lost) == 1 else 'the classes'} {named} could be used: rejected.parquet says why."


def _smaller(facts: Facts) -> Iterator[str]:
    if facts.smaller <= SMALLER_SHARE * facts.images:
        return
    height, width = facts.fitting
    yield (
        f"{_share(facts.smaller, facts.images)} are smaller than {facts.width} × {facts.height} pixels and were enlarged: "
        f"they will look soft; preprocess.height={height} preprocess.width={width} would fit most."
    )


def _grey(facts: Facts) -> Iterator[str]:
    if facts.channels == 3 and facts.grey >= GREY_SHARE * facts.images:
        share = _share(facts.grey, facts.images)
        share = share[0].lower() + share[1:]
        yield f"RGB was asked for, but {share} are grey: preprocess.channels=1 would train faster."


def _shift(facts: Facts) -> Iterator[str]:
    train = facts.splits["train"]
    for name in ("validation", "test"):
        split = facts.splits[name]
        if not split.images:
            continue
        error = max(train.deviation) / math.sqrt(split.images)  # at most: images differ less than their pixels
        difference = _brightness(split) - _brightness(train)
        if abs(difference) > max(SHIFT, SHIFT_ERRORS * error):
            yield (
                f"The {name} images are {'brighter' if difference > 0 else 'darker'} than the training images (mean "
                f"{_brightness(split):.2f} and {_brightness(train):.2f}, on a scale from 0 to 1): what is measured on "
                "them says less about the others."
            )


def _copies(facts: Facts) -> Iterator[str]:
    total = facts.images + facts.dropped
    copies = total - facts.distinct
    if facts.distinct > 1 and copies > COPIES_SHARE * total:
        result = "were left out" if copies == facts.dropped else "count more than once"
        yield f"{copies:,} of {total:,} images are exact copies of others and {result}: {facts.distinct:,} are different."


def _crowd(facts: Facts) -> Iterator[str]:
    if facts.largest_group >= max(CROWD, CROWD_SHARE * facts.images):
        yield (
            f"{facts.largest_group:,} of {facts.images:,} images are one group of near-duplicates: so many look alike "
            "without being copies, and a smaller distance, or none, would keep them apart."
        )


def _rejected(facts: Facts) -> Iterator[str]:
    count = sum(facts.rejected.values())
    total = facts.images + facts.dropped + count
    if count > REJECTED_SHARE * total:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in facts.rejected.items())
        yield f"{count:,} of {counted(total, 'file')} could not be used ({reasons}): rejected.parquet lists them."


def _profiles(facts: Facts) -> Iterator[str]:
    count = facts.profiles_ignored
    if count:
        profiles, its = (
            ("has a colour profile that is", "its") if count == 1 else ("have colour profiles that are", "their")
        )
        yield f"{counted(count, 'image')} {profiles} broken or for another kind of image: {its} colours were taken as sRGB."


def _animated(facts: Facts) -> Iterator[str]:
    count, unused = facts.animated, facts.frames_unused
    if count:
        yield (
            f"{counted(count, 'file')} {'has' if count == 1 else 'have'} several frames or pages, of which only the first was "
            f"taken: {unused:,} {'is' if unused == 1 else 'are'} not used. To use them, write each as a file; "
            "preprocess.animated=reject leaves such files out."
        )


_CHECKS: dict[Kind, Callable[[Facts], Iterator[str]]] = {
    Kind.IDENTICAL: _identical,
    Kind.FLAT: _flat,
    Kind.FEW_IMAGES: _few_images,
    Kind.FEW_IN_SPLIT: _few_in_split,
    Kind.FEW_IN_CLASS: _few_in_class,
    Kind.IMBALANCE: _imbalance,
    Kind.UNTRAINED_CLASS: _untrained_class,
    Kind.VANISHED_CLASS: lambda facts: misleading.vanished_class(facts.findings),
    Kind.TWO_LABELS: lambda facts: misleading.two_labels(facts.findings, dropped=facts.dropped > 0),
    Kind.UNLABELLED: lambda facts: misleading.unlabelled(facts.findings, images=facts.images),
    Kind.UNUSED: lambda facts: iter(facts.findings.unused),
    Kind.OWN_SPLITS: lambda facts: misleading.own_splits(facts.findings),
    Kind.SMALLER: _smaller,
    Kind.GREY: _grey,
    Kind.SHIFT: _shift,
    Kind.COPIES: _copies,
    Kind.CROWD: _crowd,
    Kind.REJECTED: _rejected,
    Kind.PROFILES: _profiles,
    Kind.ANIMATED: _animated,
    Kind.MODERN: lambda facts: misleading.modern(facts.findings),
    Kind.LEFT_OUT: lambda facts: misleading.left_out(facts.findings),
}


def _trained(facts: Facts) -> dict[str, int]:
    """Return the number of training images per label, of labels that have any."""
    return {label: count for label, count in facts.splits["train"].images_per_label.items() if count}


def _brightness(split: SplitFacts) -> float:
    return sum(split.mean) / len(split.mean)


def _counted_with_verb(count: int, noun: str) -> str:
    return f"{'is' if count == 1 else 'are'} {counted(count, noun)}"


def _share(part: int, whole: int) -> str:
    return "All images" if part == whole else f"{min(99, max(1, round(100 * part / whole)))}% of the images"
