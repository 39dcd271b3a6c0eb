"""What evaluations say of several runs, row by row: which is best, by how much, and what cannot be compared."""

from __future__ import annotations

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
        key: Where it stands in ``metrics.json``.
        title: What a person reads.
        unit: Of value and error, and which way is up.
        verdict: With its cells, in the order of the runs.
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
    def but(self) -> str:
        """What all its rows have to say of what cannot be compared; "" where they differ."""
        said = {row.verdict.but for row in self.rows}
        return said.pop() if len(said) == 1 and len(self.rows) > 1 else ""


def compare(runs: Sequence[Run]) -> list[Group]:
    """All figures that one of the runs has, in groups."""
    return [group for group in (_reconstruction(runs), *_distances(runs), _use(runs), _latent(runs)) if group.rows]


def _reconstruction(runs: Sequence[Run]) -> Group:
    group = Group("Test images: likeness and likelihood")
    for name in dict.fromkeys(name for run in runs for name in run.metrics["metrics"]):
        found = [run.metrics["metrics"].get(name) for run in runs]
        one = next(each for each in found if each)
        cells = [Cell(each.get("value"), each.get("standard_error")) if each else Cell() for each in found]
        better = "" if name == "kl" else str(one.get("better", ""))
        unit = f"{one.get('unit', '')}; {better or 'neither'} is better" if one.get("unit") else ""
        verdict = judge(runs, cells, better=better, conditions=_CONDITIONS.get(name, _IMAGES))
        if name == "kl" and verdict.says:
            verdict = replace(verdict, says=f"{verdict.says} {_KL}")
        group.rows.append(Row(f"metrics.{name}", _TITLES.get(name, name), unit, verdict))
    return group


def _distances(runs: Sequence[Run]) -> Iterator[Group]:
    """A group for each feature space."""
    found = [run.metrics.get("distances", {}) for run in runs]
    for space in dict.fromkeys(name for each in found for name in each if name not in ("left_out", "doc")):
        group = Group(f"New images beside test images, in {_SPACES.get(space, space)}")

        conditions = (
            *_IMAGES,
            _of_space(space, "network_sha256", "feature network"),
            _of_space(space, "images", "number of images"),
            _of_space(space, "neighbours", "number of neighbours"),
        )
        for key, plain, named, better in _FIGURES:
            cells = [_distance(each.get(space, {}), key, left_out=str(each.get("left_out", ""))) for each in found]
            if any(cell.value is not None for cell in cells):
                verdict = judge(runs, cells, better=better, conditions=conditions)
                title = named if space == "inception" else plain
                group.rows.append(Row(f"distances.{space}.{key}", title, f"{better} is better", verdict))
        yield group


def _of_space(space: str, key: str, what: str) -> Condition:
    return what, lambda run: run.metrics.get("distances", {}).get(space, {}).get(key)


def _distance(space: dict[str, Any], key: str, *, left_out: str) -> Cell:
    """A figure of new images; of what has a 95% interval, half of it is taken for 1.96 standard errors."""
    found = space.get("synthetic", {}).get(key)
    if isinstance(found, dict):
        low, high = found.get("low"), found.get("high")
        error = None if low is None or high is None else (high - low) / (2 * _NORMAL_95)
        return Cell(found.get("value"), error)
    return Cell(found, why=str(space.get("left_out", left_out)))


def _use(runs: Sequence[Run]) -> Group:
    group = Group("New images: their use, and copies among them")
    useful = [run.metrics.get("usefulness", {}) for run in runs]
    conditions: tuple[Condition, ...] = (*_IMAGES, _LABELS)
    for key, title in (("synthetic", "Accuracy that they teach"), ("ratio", "The same, as a share of real images’")):
        cells = [Cell(each.get(key), _binomial(each, key), str(each.get("left_out", ""))) for each in useful]
        if any(cell.value is not None for cell in cells):
            verdict = judge(runs, cells, better="higher", conditions=conditions)
            group.rows.append(Row(f"usefulness.{key}", title, "on real test images; higher is better", verdict))
    copies = [run.metrics.get("memorisation", {}) for run in runs]
    cells = [Cell(each.get("near"), why=str(each.get("left_out", ""))) for each in copies]
    if any(cell.value is not None for cell in cells):
        flagged = [run.name for run, each in zip(runs, copies, strict=True) if each.get("flagged")]
        held_out = [
            f"{each['near_held_out']:,} of {each['images']:,} for {run.name}"
            for run, each in zip(runs, copies, strict=True)
            if "near_held_out" in each and "images" in each
        ]
        says = [f"Flagged as memorised: {', '.join(flagged)}." if flagged else "None is flagged as memorised."]
        if held_out:
            says.append(f"Held-out images that are as close: {', '.join(held_out)}.")
        verdict = Verdict(cells, " ".join(says))
        group.rows.append(Row("memorisation.near", "Near copies of training images", "among new images", verdict))
    return group


def _binomial(found: dict[str, Any], key: str) -> float | None:
    """Standard error of an accuracy on so many test images."""
    value, images = found.get(key), found.get("test_images")
    return math.sqrt(value * (1 - value) / images) if key == "synthetic" and images and value is not None else None


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
            found: Any = run.metrics.get("latent", {})
            for part in key.split("."):
                found = found.get(part) if isinstance(found, dict) else None
            cells.append(Cell(found if isinstance(found, int | float) else None))
        if any(cell.value is not None for cell in cells):
            group.rows.append(Row(f"latent.{key}", title, unit, Verdict(cells)))
    return group
