"""The low-data curve that a recipe asks for, its results, and what ``metrics.json`` holds of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import scipy.stats
from numpy.typing import NDArray

from components.evaluate.samples.kid import Interval
from components.reporting.numbers import rounded

Arm = Literal["real", "new", "filtered"]
ARMS: tuple[Arm, ...] = ("real", "new", "filtered")


@dataclass(frozen=True)
class Few:
    """The curve that a recipe asks for.

    Attributes:
        sizes: Numbers of real images of each label.
        draws: How often each number of images is drawn, at least twice.
    """

    sizes: tuple[int, ...]
    draws: int


NONE = Few((), 0)


@dataclass(frozen=True)
class Size:
    """What a number of real images of each label teaches, alone and with new images.

    Attributes:
        per_label: Number of real images of each label.
        accuracy: Accuracy on the real test images, by what a classifier is trained on besides the real images: nothing, all
            new images, or those that the filter leaves.
        gain: By how much new images raise it.
    """

    per_label: int
    accuracy: Mapping[Arm, Interval]
    gain: Mapping[Arm, Interval]

    @property
    def helpful(self) -> tuple[Arm, ...]:
        """The ways to add new images that help: the whole interval of their gain is above 0."""
        return tuple(arm for arm, gain in self.gain.items() if gain.low is not None and gain.low > 0)

    @property
    def harmful(self) -> bool:
        """Whether every way to add new images lowers the accuracy: the whole interval of its gain is below 0."""
        return all(gain.high is not None and gain.high < 0 for gain in self.gain.values())


@dataclass(frozen=True)
class LowData:
    """The low-data curve.

    Attributes:
        images: Number of new images.
        kept: How many of these the filter leaves: those whose label the classifier of all training images confirms.
        training: Number of training images, which the model and that classifier were trained on.
        test_images: Number of labelled test images.
        labels: Number of labels that have training images.
        draws: How often each number of real images was drawn.
        sizes: The results, by number of real images of each label.
        left_out: Numbers that were not measured, and the reason, as a clause.
    """

    images: int
    kept: int
    training: int
    test_images: int
    labels: int
    draws: int
    sizes: tuple[Size, ...]
    left_out: Mapping[int, str]


def interval(outcomes: NDArray[Any]) -> Interval:
    """Return the mean of outcomes by draw and test image, [D, T], and its 95% interval.

    Another draw would change the mean, and so would other test images. The two are crossed, so their variances are added:
    that of the draws' means by D, and that of the images' means by T (Owen 2007, "The pigeonhole bootstrap", section 2; the
    sum counts what is left over twice, and so is on the safe side). The quantile is Student's, of D - 1 degrees of freedom.
    A draw has new real images, new first weights and a new order (Bouthillier et al. 2021, "Accounting for variance in
    machine learning benchmarks").
    """
    draws, images = outcomes.shape
    mean = float(outcomes.mean())
    variance = outcomes.mean(axis=1).var(ddof=1) / draws + outcomes.mean(axis=0).var(ddof=1) / images
    half = float(scipy.stats.t.ppf(0.975, draws - 1) * math.sqrt(variance))
    return Interval(mean, mean - half, mean + half)


def document(low_data: LowData | str) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of the curve, or of the reason that it is left out."""
    if isinstance(low_data, str):
        return {"left_out": low_data}
    return {
        "images": low_data.images,
        "kept": low_data.kept,
        "test_images": low_data.test_images,
        "draws": low_data.draws,
        "sizes": {
            str(size.per_label): {
                "accuracy": {arm: _rounded(value) for arm, value in size.accuracy.items()},
                "gain": {arm: _rounded(value) for arm, value in size.gain.items()},
            }
            for size in low_data.sizes
        }
        | {str(size): {"left_out": why} for size, why in low_data.left_out.items()},
        "doc": "Accuracy on real test images of classifiers trained on few real images of each label: real: on these alone; "
        "new: and on new images; filtered: and on those new images whose label the classifier of all training images "
        "confirms. gain: over real, with 95% intervals over draws and test images. The model itself was trained on all "
        "training images.",
    }


def _rounded(value: Interval) -> dict[str, float | None]:
    return {name: rounded(number) for name, number in asdict(value).items()}
