"""The low-data curve in words: what new images gain beside few real ones, and where not to use them."""

from __future__ import annotations

from components.evaluate.samples.kid import Interval
from components.evaluate.samples.low_data_curve import ARMS, Arm, LowData, Size
from components.reporting.console import counted
from components.reporting.numbers import as_percent, fixed

DO_NOT = "do not use them for this"
_ADDED = {"new": "new images", "filtered": "new images that the filter leaves"}


def clause(curve: LowData | str) -> str:
    """Say in a line what new images gain beside few real ones; or why that was not measured."""
    if isinstance(curve, str):
        return f"not tried beside few real images: {curve}"
    parts = [f"with {_real(size.per_label)} {outcome(size)}" for size in curve.sizes]
    return "; ".join([*parts, *_left_out(curve)])


def sentences(curve: LowData) -> list[str]:
    """Return a sentence for each number of real images."""
    parts = [f"With {_real(size.per_label)}, {outcome(size)}." for size in curve.sizes]
    return [*parts, *(f"{part[0].upper()}{part[1:]}." for part in _left_out(curve))]


def outcome(size: Size) -> str:
    """Say whether new images help beside this number of real ones, as a clause."""
    if size.helpful:
        best = max(size.helpful, key=lambda arm: size.gain[arm].value)
        where = "" if "new" in size.helpful else ", but only after the filter"
        return f"new images help{where}: {_ADDED[best]} raise the accuracy by {points(size.gain[best])}"
    best = max(size.gain, key=lambda arm: size.gain[arm].value)
    verb = "lower the accuracy" if size.harmful else "do not surely help"
    return f"new images {verb}: they change it by {points(size.gain[best])} at best; {DO_NOT}"


def points(gain: Interval) -> str:
    """Return a gain in accuracy with its interval, such as `6.9 points (95% interval 5.1 to 8.7)`."""
    value, low, high = (fixed(100 * (end or 0.0), decimals=1) for end in (gain.value, gain.low, gain.high))
    return f"{value} points (95% interval {low} to {high})"


def caveat(curve: LowData) -> str:
    """Say what the curve answers and what it does not, in sentences."""
    kept = as_percent(curve.kept / curve.images)
    return (
        f"The model, and so all of its new images, comes from {counted(curve.training, 'training image')}. So the curve answers "
        "whether new images that you share help somebody who has few real ones. It does not say what a model of only these "
        f"few images could do. The filter leaves the {kept} of {counted(curve.images, 'new image')} whose label the classifier "
        "of all training images confirms: only who has these can filter so. Each number of images was drawn "
        f"{curve.draws:,} times, and each classifier measured on {counted(curve.test_images, 'real test image')}; an interval "
        "covers both."
    )


def rows(curve: LowData) -> list[tuple[str, list[str]]]:
    """Return the rows of the table: real images of each label, then accuracies and gains."""
    arms: tuple[Arm, ...] = ("new", "filtered")
    return [
        (
            f"{size.per_label:,}",
            [
                _accuracy(size, "real"),
                *(cell for arm in arms for cell in (_accuracy(size, arm), _gain(size, arm))),
                "they help" if size.helpful else DO_NOT,
            ],
        )
        for size in curve.sizes
    ]


def lines(curve: LowData) -> dict[str, list[tuple[int, float, float, float]]]:
    """Return the lines of the figure: real images of each label, the accuracy, and the ends of its interval."""
    return {
        arm: [
            (size.per_label, accuracy.value, accuracy.low or 0.0, accuracy.high or 0.0)
            for size in curve.sizes
            if (accuracy := size.accuracy.get(arm))
        ]
        for arm in ARMS
    }


def _accuracy(size: Size, arm: Arm) -> str:
    return as_percent(size.accuracy[arm].value) if arm in size.accuracy else "–"


def _gain(size: Size, arm: Arm) -> str:
    if arm not in size.gain:
        return "–"
    gain = size.gain[arm]
    value, low, high = (fixed(100 * (end or 0.0), decimals=1) for end in (gain.value, gain.low, gain.high))
    return f"{value} ({low} to {high})"


def _real(per_label: int) -> str:
    return f"{counted(per_label, 'real image')} of each label"


def _left_out(curve: LowData) -> list[str]:
    return [f"{_real(size)} were left out: {why}" for size, why in curve.left_out.items()]
