"""Tables of several runs' figures, row by row: which is best, by how much, and what cannot be compared."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.tools.compare.runs import Run
from pipeline.tools.compare.verdict import Cell, Condition, Verdict, judge

_NORMAL_95 = 1.96
_TEST: Condition = ("test images", lambda run: run.test)
_BINARY: Condition = (
    "drawing of black and white pixels",
    lambda run: (run.setting("seed"),) if run.setting("loss.binarise") == "true" else (),
)
_LIKELIHOOD: Condition = ("likelihood", lambda run: run.setting("loss.likelihood"))
_NORMALISE: Condition = ("normalisation", lambda run: run.setting("preprocess.normalise"))
_MEASURED: Condition = (  # its constants come from the training images
    "training images, from which the normalisation was measured",
    lambda run: run.evaluation.inputs["Examples"] if run.setting("preprocess.normalise") == "standardise" else "",
)
_LABELS: Condition = ("use of labels", lambda run: (run.setting("model.conditional") == "true",))
_SAMPLES: Condition = ("number of codes", lambda run: run.metrics.get("importance_samples"))
_IMAGES = (_TEST, _BINARY)
_DENSITY = (*_IMAGES, _LIKELIHOOD, _NORMALISE, _MEASURED, _LABELS)
_CONDITIONS: dict[str, tuple[Condition, ...]] = {
    "elbo": _DENSITY,
    "iwae": (*_DENSITY, _SAMPLES),
    "bits_per_dim": (*_IMAGES, _LIKELIHOOD, _LABELS),
    "log_prob": _DENSITY,
    "kl": (*_IMAGES, _LABELS),
}
_TITLES = {
    "ssim": "SSIM",
    "psnr": "PSNR",
    "mse": "MSE",
    "elbo": "ELBO",
    "iwae": "Log-likelihood",
    "bits_per_dim": "Bits per dimension",
    "log_prob": "Reconstruction",
    "kl": "KL divergence",
}
_KL = "A lower KL costs less and says less of an image: neither way is better by itself."
_SPACES = {
    "random": "random features",
    "classifier": "a classifier’s features",
    "own": "your own model’s features",
    "inception": "Inception’s features",
}
_FIGURES = (  # of a feature space: key, title, in Inception's features, which way is up
    ("frechet", "Fréchet distance", "FID", "lower"),
    ("kernel", "Kernel distance", "KID", "lower"),
    ("precision", "Precision", "Precision", "higher"),
    ("recall", "Recall", "Recall", "higher"),
    ("density", "Density", "Density", "higher"),
    ("coverage", "Coverage", "Coverage", "higher"),
)


@dataclass(frozen=True)
class Row:
    """A figure of all runs.

    Attributes:
        key: Its place in ``metrics.json``.
        title: Its name for a person.
        unit: Of value and error, and which way is better.
        verdict: With a cell for each run, in the order of the runs.
    """

    key: str
    title: str
    unit: str
    verdict: Verdict


@dataclass(frozen=True)
class Group:
    """Rows that belong together."""

    title: str
    rows: list[Row] = field(default_factory=list)

    @property
    def caveat(self) -> str:
        """The caveat that all rows share; "" where they differ."""
        caveats = {row.verdict.caveat for row in self.rows}
        return caveats.pop() if len(caveats) == 1 and len(self.rows) > 1 else ""


def compare(runs: Sequence[Run]) -> list[Group]:
    """Return all figures that one of the runs has, in groups."""
    return [
        group
        for group in (_test_images(runs), _blur(runs), *_distances(runs), _new_images(runs), _latent(runs))
        if group.rows
    ]


def _test_images(runs: Sequence[Run]) -> Group:
    group = Group("Test images: likeness and likelihood")
    for name in dict.fromkeys(name for run in runs for name in run.metrics["metrics"]):
        metrics = [run.metrics["metrics"].get(name) for run in runs]
        example = next(metric for metric in metrics if metric)
        cells = [Cell(metric.get("value"), metric.get("standard_error")) if metric else Cell() for metric in metrics]
        better = "" if name == "kl" else str(example.get("better", ""))
        unit = f"{example.get('unit', '')}; {better or 'neither'} is better" if example.get("unit") else ""
        verdict = judge(runs, cells, better=better, conditions=_CONDITIONS.get(name, _IMAGES))
        if name == "kl" and verdict.ranking:
            verdict = replace(verdict, ranking=f"{verdict.ranking} {_KL}")
        group.rows.append(Row(f"metrics.{name}", _TITLES.get(name, name), unit, verdict))
    return group


def _blur(runs: Sequence[Run]) -> Group:
    """Return the blur that images are worth, by the measure that is the least kind to new images of each run."""
    group = Group("How much blur images are worth")
    quality = [run.metrics.get("quality", {}) for run in runs]
    for key, title in (("new", "New images"), ("reconstructed", "Reconstructions")):
        cells = [
            Cell(section.get("blur", {}).get(key), missing=str(section.get("left_out", ""))) for section in quality
        ]
        if any(cell.value is not None for cell in cells):
            verdict = judge(runs, cells, better="lower", conditions=_IMAGES)
            group.rows.append(Row(f"quality.blur.{key}", title, "pixels; lower is better", verdict))
    return group


def _distances(runs: Sequence[Run]) -> Iterator[Group]:
    """Yield a group for each feature space."""
    distances = [run.metrics.get("distances", {}) for run in runs]
    for space in dict.fromkeys(name for spaces in distances for name in spaces if name not in ("left_out", "doc")):
        group = Group(f"New images compared with test images, in {_SPACES.get(space, space)}")
        conditions = (
            *_IMAGES,
            _same_in_space(space, "network_sha256", "feature network"),
            _same_in_space(space, "images", "number of images"),
            _same_in_space(space, "neighbours", "number of neighbours"),
        )
        for key, plain_title, inception_title, better in _FIGURES:
            cells = [
                _distance(spaces.get(space, {}), key, left_out=str(spaces.get("left_out", ""))) for spaces in distances
            ]
            if any(cell.value is not None for cell in cells):
                verdict = judge(runs, cells, better=better, conditions=conditions)
                title = inception_title if space == "inception" else plain_title
                group.rows.append(Row(f"distances.{space}.{key}", title, f"{better} is better", verdict))
        yield group


def _same_in_space(space: str, key: str, condition: str) -> Condition:
    return condition, lambda run: run.metrics.get("distances", {}).get(space, {}).get(key)


def _distance(space: dict[str, Any], key: str, *, left_out: str) -> Cell:
    """Return a figure of new images; half of a 95% interval is taken for 1.96 standard errors."""
    figure = space.get("synthetic", {}).get(key)
    if isinstance(figure, dict):
        low, high = figure.get("low"), figure.get("high")
        error = None if low is None or high is None else (high - low) / (2 * _NORMAL_95)
        return Cell(figure.get("value"), error)
    return Cell(figure, missing=str(space.get("left_out", left_out)))


def _new_images(runs: Sequence[Run]) -> Group:
    group = Group("New images: their use, and copies among them")
    usefulness = [run.metrics.get("usefulness", {}) for run in runs]
    conditions = (*_IMAGES, _LABELS)
    for key, title in (("synthetic", "Accuracy that they teach"), ("ratio", "The same, as a share of real images’")):
        cells = [
            Cell(section.get(key), _accuracy_error(section, key), str(section.get("left_out", "")))
            for section in usefulness
        ]
        if any(cell.value is not None for cell in cells):
            verdict = judge(runs, cells, better="higher", conditions=conditions)
            group.rows.append(Row(f"usefulness.{key}", title, "on real test images; higher is better", verdict))
    group.rows.extend(_low_data(runs, [section.get("low_data", {}) for section in usefulness], conditions=conditions))
    memorisation = [run.metrics.get("memorisation", {}) for run in runs]
    cells = [Cell(section.get("near"), missing=str(section.get("left_out", ""))) for section in memorisation]
    if any(cell.value is not None for cell in cells):
        flagged = [run.name for run, section in zip(runs, memorisation, strict=True) if section.get("flagged")]
        held_out = [
            f"{section['near_held_out']:,} of {section['images']:,} for {run.name}"
            for run, section in zip(runs, memorisation, strict=True)
            if "near_held_out" in section and "images" in section
        ]
        sentences = [f"Flagged as memorised: {', '.join(flagged)}." if flagged else "None is flagged as memorised."]
        if held_out:
            sentences.append(f"Held-out images that are as close: {', '.join(held_out)}.")
        verdict = Verdict(cells, " ".join(sentences))
        group.rows.append(Row("memorisation.near", "Near copies of training images", "among new images", verdict))
    return group


def _low_data(
    runs: Sequence[Run], curves: Sequence[dict[str, Any]], *, conditions: tuple[Condition, ...]
) -> Iterator[Row]:
    """Yield what new images gain beside each number of real images of each label."""
    sizes = sorted({size for curve in curves for size in curve.get("sizes", {})}, key=int)
    for size, arm in itertools.product(sizes, ("new", "filtered")):
        cells = []
        for curve in curves:
            few = curve.get("sizes", {}).get(size, {})
            gain = few.get("gain", {}).get(arm, {})
            why = few.get("left_out", curve.get("left_out", ""))
            error = (gain["high"] - gain["low"]) / (2 * _NORMAL_95) if "high" in gain else None
            cells.append(Cell(gain.get("value"), error, str(why)))
        if any(cell.value is not None for cell in cells):
            verdict = judge(runs, cells, better="higher", conditions=conditions)
            added = "filtered new images" if arm == "filtered" else "new images"
            title = f"Gain in accuracy by {added}, beside {int(size):,} real images of each label"
            key = f"usefulness.low_data.sizes.{size}.gain.{arm}"
            yield Row(key, title, "share of real test images; higher is better", verdict)


def _accuracy_error(section: dict[str, Any], key: str) -> float | None:
    """Return the standard error of an accuracy, from the number of test images."""
    accuracy, images = section.get(key), section.get("test_images")
    if key != "synthetic" or not images or accuracy is None:
        return None
    return math.sqrt(accuracy * (1 - accuracy) / images)


def _latent(runs: Sequence[Run]) -> Group:
    group = Group("Latent space: neither way is better by itself")
    for key, title, unit in (
        ("dimensions", "Dimensions", "of a code"),
        ("active", "Dimensions in use", "variance of the mean above 0.01"),
        ("aggregate_gap", "All codes together, from N(0, I)", "nats"),
        ("smoothness.length", "Way between two images", "times the distance of its ends"),
        ("smoothness.largest_step", "Largest step of it", "times the mean step"),
    ):
        cells = []
        for run in runs:
            value: Any = run.metrics.get("latent", {})
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            cells.append(Cell(value if isinstance(value, int | float) else None))
        if any(cell.value is not None for cell in cells):
            group.rows.append(Row(f"latent.{key}", title, unit, Verdict(cells)))
    return group
